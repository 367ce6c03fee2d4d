import Base
import SIP
import ServerNode
import Testing

@Suite("Every state of a call against late, repeated, missing and crossed messages")
struct CallStateTableTests {
    enum State: String, CaseIterable {
        /// Bob was sent an INVITE and said nothing.
        case asked
        case ringing
        /// He sent early media.
        case early
        /// He answered; Alice's ACK is missing.
        case answered
        case talking
        /// Alice's re-INVITE waits for Bob.
        case changing
        /// Alice transfers to Carol, who rings.
        case transferring
        /// The call is over; its transactions still absorb copies.
        case over
        /// The call is over and forgotten.
        case forgotten
    }

    enum Message: String, CaseIterable {
        case inviteAgain = "the INVITE again"
        case cancel = "CANCEL"
        case ack = "ACK"
        case bye = "BYE"
        case prack = "PRACK"
        case update = "UPDATE"
        case reinvite = "re-INVITE"
        case info = "INFO"
        case refer = "REFER"
        case notify = "NOTIFY"
        case forged = "BYE with a wrong tag"
        case trying100 = "Bob's 100"
        case ringing180 = "Bob's 180"
        case early183 = "Bob's 183"
        case ok200 = "Bob's 200"
        case busy486 = "Bob's 486"
        case byeOfBob = "Bob's BYE"
        case reinviteOfBob = "Bob's re-INVITE"
        case infoOfBob = "Bob's INFO"
        case ackAnswer = "Bob's answer to what he was asked last"
    }

    /// A call in that state, and what Bob was asked last.
    func bring(to state: State) throws -> (CallFixture, UA, SIPMessage?) {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        try f.ring()
        if state == .asked { return (f, carol, nil) }
        let rung = f.bob.respond(180)
        try f.alice.take(try #require(try f.alice.mine(rung).first))
        if state == .ringing { return (f, carol, nil) }
        if state == .early {
            f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000))
            return (f, carol, nil)
        }
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        if state == .answered { return (f, carol, nil) }
        f.alice.ack()
        switch state {
        case .changing:
            let asked = f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_386, version: 2))
            return (f, carol, try f.bob.mine(asked).first)
        case .transferring:
            let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
            try carol.called(by: try #require(try carol.mine(out).first))
        case .over, .forgotten:
            let bye = try #require(try f.bob.mine(f.alice.send("BYE")).first)
            f.bob.respond(200, to: bye)
            if state == .forgotten { f.h.advance(.seconds(70)) }
        case .asked, .ringing, .early, .answered, .talking: break
        }
        return (f, carol, nil)
    }

    func send(_ message: Message, _ f: CallFixture, _ asked: SIPMessage?) -> [(flow: FlowID, bytes: [UInt8])] {
        let sdp = UA.offer("198.51.100.77", 30_000)
        switch message {
        case .inviteAgain: return f.h.receive(f.alice.lastInvite, on: f.alice.flow)
        case .cancel:
            // As its INVITE was: without a To tag.
            f.alice.remoteTag = nil
            return f.alice.cancel()
        case .ack: return f.alice.ack()
        case .bye: return f.alice.send("BYE")
        case .prack: return f.alice.send("PRACK", extra: "RAck: 1 \(f.alice.inviteSequence) INVITE\r\n")
        case .update: return f.alice.send("UPDATE", body: UA.offer("192.168.1.10", 16_390, version: 5))
        case .reinvite: return f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_390, version: 5))
        case .info: return f.alice.send("INFO")
        case .refer: return f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        case .notify: return f.alice.send("NOTIFY", extra: "Event: refer\r\nSubscription-State: active\r\n")
        case .forged:
            f.alice.localTag = "wrong"
            return f.alice.send("BYE")
        case .trying100: return f.bob.respond(100)
        case .ringing180: return f.bob.respond(180)
        case .early183: return f.bob.respond(183, body: sdp)
        case .ok200: return f.bob.respond(200, body: sdp)
        case .busy486: return f.bob.respond(486)
        case .byeOfBob: return f.bob.send("BYE")
        case .reinviteOfBob: return f.bob.send("INVITE", body: UA.offer("198.51.100.77", 30_002, version: 5))
        case .infoOfBob: return f.bob.send("INFO")
        case .ackAnswer: return f.bob.respond(200, to: asked, body: sdp)
        }
    }

    /// Statuses and methods in order: `200 to Alice, BYE to Bob`.
    func words(_ out: [(flow: FlowID, bytes: [UInt8])], _ f: CallFixture, _ carol: UA) throws -> String {
        try out.map { try Self.word($0.flow, $0.bytes, f, carol) }.joined(separator: " ")
    }

    /// `A:200`, `B:BYE`.
    static func word(_ flow: FlowID, _ bytes: [UInt8], _ f: CallFixture, _ carol: UA) throws -> String {
        let name = flow == f.alice.flow ? "A" : flow == f.bob.flow ? "B" : flow == carol.flow ? "C" : "?"
        let message = try SIPMessage(parsing: bytes)
        if case .response(let status, _) = message.startLine { return "\(name):\(status)" }
        return "\(name):\(String(decoding: bytes.prefix { $0 != 0x20 }, as: UTF8.self))"
    }

    /// What each message draws in each state, A: to Alice, B: to Bob, C: to Carol. Nothing behind the bar: silence.
    static let expected: [State: String] = [
        .asked: """
        the INVITE again | A:100
        CANCEL | A:200 A:487
        ACK |
        BYE | A:481
        PRACK | A:481
        UPDATE | A:481
        re-INVITE | A:401
        INFO | A:481
        REFER | A:403
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 | A:180
        Bob's 183 | A:183
        Bob's 200 | B:ACK A:200
        Bob's 486 | B:ACK A:486
        Bob's BYE | B:200 A:480
        Bob's re-INVITE | B:500
        Bob's INFO | B:480
        Bob's answer to what he was asked last | B:ACK A:200
        """,
        .ringing: """
        the INVITE again | A:180
        CANCEL | A:200 A:487 B:CANCEL
        ACK |
        BYE | A:200 A:487 B:CANCEL
        PRACK | A:481
        UPDATE | A:500
        re-INVITE | A:500
        INFO | A:480
        REFER | A:491
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 | A:183
        Bob's 200 | B:ACK A:200
        Bob's 486 | B:ACK A:486
        Bob's BYE | B:200 B:CANCEL A:480
        Bob's re-INVITE | B:500
        Bob's INFO | B:480
        Bob's answer to what he was asked last | B:ACK A:200
        """,
        .early: """
        the INVITE again | A:183
        CANCEL | A:200 A:487 B:CANCEL
        ACK |
        BYE | A:200 A:487 B:CANCEL
        PRACK | A:481
        UPDATE | A:500
        re-INVITE | A:500
        INFO | A:480
        REFER | A:491
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK A:200
        Bob's 486 | B:ACK A:486
        Bob's BYE | B:200 B:CANCEL A:480
        Bob's re-INVITE | B:500
        Bob's INFO | B:480
        Bob's answer to what he was asked last | B:ACK A:200
        """,
        .answered: """
        the INVITE again |
        CANCEL | A:200
        ACK |
        BYE | A:200 B:BYE
        PRACK | A:481
        UPDATE | B:UPDATE
        re-INVITE | B:INVITE
        INFO | B:INFO
        REFER | A:202 A:NOTIFY C:INVITE
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK
        Bob's 486 |
        Bob's BYE | B:200
        Bob's re-INVITE | B:491
        Bob's INFO | A:INFO
        Bob's answer to what he was asked last | B:ACK
        """,
        .talking: """
        the INVITE again |
        CANCEL | A:200
        ACK |
        BYE | A:200 B:BYE
        PRACK | A:481
        UPDATE | B:UPDATE
        re-INVITE | B:INVITE
        INFO | B:INFO
        REFER | A:202 A:NOTIFY C:INVITE
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK
        Bob's 486 |
        Bob's BYE | B:200 A:BYE
        Bob's re-INVITE | A:INVITE
        Bob's INFO | A:INFO
        Bob's answer to what he was asked last | B:ACK
        """,
        .changing: """
        the INVITE again |
        CANCEL | A:200
        ACK |
        BYE | A:200 B:BYE A:487
        PRACK | A:481
        UPDATE | A:500
        re-INVITE | A:500
        INFO | B:INFO
        REFER | A:491
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK
        Bob's 486 |
        Bob's BYE | B:200 A:BYE A:487
        Bob's re-INVITE | B:491
        Bob's INFO | A:INFO
        Bob's answer to what he was asked last | B:ACK A:200
        """,
        .transferring: """
        the INVITE again |
        CANCEL | A:200
        ACK |
        BYE | A:200
        PRACK | A:481
        UPDATE | B:UPDATE
        re-INVITE | B:INVITE
        INFO | B:INFO
        REFER | A:491
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK
        Bob's 486 |
        Bob's BYE | B:200 A:BYE
        Bob's re-INVITE | A:INVITE
        Bob's INFO | A:INFO
        Bob's answer to what he was asked last | B:ACK
        """,
        .over: """
        the INVITE again |
        CANCEL | A:200
        ACK |
        BYE | A:481
        PRACK | A:481
        UPDATE | A:481
        re-INVITE | A:481
        INFO | A:481
        REFER | A:481
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 | B:ACK B:BYE
        Bob's 486 |
        Bob's BYE | B:481
        Bob's re-INVITE | B:481
        Bob's INFO | B:481
        Bob's answer to what he was asked last | B:ACK B:BYE
        """,
        .forgotten: """
        the INVITE again |
        CANCEL | A:481
        ACK |
        BYE | A:481
        PRACK | A:481
        UPDATE | A:481
        re-INVITE | A:481
        INFO | A:481
        REFER | A:481
        NOTIFY | A:481
        BYE with a wrong tag | A:481
        Bob's 100 |
        Bob's 180 |
        Bob's 183 |
        Bob's 200 |
        Bob's 486 |
        Bob's BYE | B:481
        Bob's re-INVITE | B:481
        Bob's INFO | B:481
        Bob's answer to what he was asked last |
        """,
    ]

    @Test("What each message draws; whatever came, nothing is left at the end", arguments: State.allCases)
    func table(_ state: State) throws {
        var rows: [String] = []
        for message in Message.allCases {
            let (f, carol, asked) = try bring(to: state)
            let drawn = try words(send(message, f, asked), f, carol)
            rows.append("\(message.rawValue) |\(drawn.isEmpty ? "" : " " + drawn)")
            f.h.advance(.seconds(2_100))
            #expect(f.h.server.callUsage == CallUsage(), "\(state.rawValue), then \(message.rawValue)")
        }
        #expect(rows == Self.expected[state]?.split(separator: "\n").map(String.init))
    }
}
