import Base
import PhoneNode
import SIP
import Testing

@Suite("Transfers and digits")
struct TransferTests {
    private func three(_ second: CallSettings = .auto()) -> CallWorld {
        var two = CallSettings(rtpPorts: [16_384, 16_386])
        two.answers = second.answers
        two.answerPlay = second.answerPlay
        two.followsTransfers = second.followsTransfers
        var third = CallSettings.auto(.tone(1200))
        third.rtpPorts = [16_384, 16_386]
        return CallWorld([
            .caller(1, calls: CallSettings(rtpPorts: [16_384, 16_386])), .caller(2, calls: two), .caller(3, calls: third),
        ])
    }

    @Test("RFC 3515: a blind transfer; the other two talk, the one in the middle is out")
    func blind() throws {
        var world = three()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        world.input(0, .transfer(outgoing, to: "sip:103@192.0.2.3"))
        world.run(for: .seconds(5))
        let codes = world.events(0).compactMap { if case .transfer(let code, _) = $0 { code } else { nil } }
        #expect(codes == [100, 100, 200])
        #expect(world.report(0)?.end == .replaced)
        #expect(world.phones[0].callCount == 0)
        let new = try #require(
            world.events(1).lazy.compactMap { if case .asksTransfer(_, let id) = $0 { id } else { nil } }.first)
        #expect(world.share(of: 1200, 1, new) > 0.9)
        // The second goes on playing to the third what it played to the first.
        #expect(world.share(of: 880, 2, try #require(world.incoming(2))) > 0.9)
        #expect(world.requests(.invite).last?.first(.referredBy)?.value.string == "<sip:101@192.0.2.250>")
    }

    @Test("A transfer to somebody who refuses is reported, and the call goes on")
    func blindFails() throws {
        var world = three()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        world.input(0, .transfer(outgoing, to: "sip:103@192.0.2.99"))
        world.run(for: .seconds(40))
        let codes = world.events(0).compactMap { if case .transfer(let code, _) = $0 { code } else { nil } }
        #expect(codes == [100, 100, 408])
        #expect(world.report(0) == nil)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
    }

    @Test("A phone that follows no transfers declines them")
    func declined() {
        var settings = CallSettings.auto()
        settings.followsTransfers = false
        var world = three(settings)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        world.input(0, .transfer(outgoing, to: "sip:103@192.0.2.3"))
        world.run(for: .seconds(3))
        #expect(world.events(0).contains(.transfer(code: 603, reason: "Decline")))
        #expect(world.phones[0].callCount == 1)
        #expect(world.incoming(2) == nil)
    }

    @Test("RFC 3891: an attended transfer; the consulted call is replaced without ringing")
    func attended() throws {
        var world = three()
        world.call(0, "sip:102@192.0.2.2", id: 1)
        world.run(for: .seconds(3))
        world.call(0, "sip:103@192.0.2.3", id: 2)
        world.run(for: .seconds(3))
        world.input(0, .transferAttended(outgoing, with: PhoneCallID(2)))
        world.run(for: .seconds(5))
        #expect(world.phones[0].callCount == 0)
        #expect(world.phones[1].callCount == 1)
        #expect(world.phones[2].callCount == 1)
        #expect(world.report(0, outgoing)?.end == .replaced)
        #expect(world.report(0, PhoneCallID(2))?.end == .hungUpByPeer)
        #expect(world.report(2)?.end == .replaced)
        let new = try #require(
            world.events(1).lazy.compactMap { if case .asksTransfer(_, let id) = $0 { id } else { nil } }.first)
        #expect(world.share(of: 1200, 1, new) > 0.9)
        #expect(world.share(of: 880, 2, PhoneCallID(1 << 32 + 1)) > 0.9)
    }

    @Test(
        "RFC 3891 3: Replaces that names no call is 481; a REFER from outside of any call is declined; so is dialling for strangers"
    )
    func strangers() {
        var world = three()
        func request(_ method: String, _ lines: String, _ branch: String) -> Datagram {
            Datagram(
                from: Endpoint("192.0.2.66:5060")!, to: Endpoint("192.0.2.2:5060")!,
                Array(
                    ("\(method) sip:102@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;rport;branch=z9hG4bK\(branch)\r\n"
                        + "Max-Forwards: 70\r\nFrom: <sip:x@192.0.2.66>;tag=x\r\nTo: <sip:102@192.0.2.2>\r\nCall-ID: \(branch)\r\n"
                        + "CSeq: 1 \(method)\r\nContact: <sip:x@192.0.2.66>\r\n\(lines)Content-Length: 0\r\n\r\n").utf8))
        }
        world.inject(request("INVITE", "Replaces: a@b;to-tag=1;from-tag=2\r\n", "1"))
        world.inject(request("INVITE", "Replaces: a@b;to-tag=1\r\n", "2"))
        world.inject(request("REFER", "Refer-To: <sip:900@192.0.2.3>\r\n", "3"))
        #expect(world.sip.compactMap(\.message.statusCode) == [481, 400, 603])
        #expect(world.phones[1].callCount == 0)
    }

    @Test("RFC 4733: digits arrive in order, each once, in both directions")
    func digits() throws {
        var world = three()
        world.input(
            0, .call(CallRequest(id: outgoing, target: "sip:102@192.0.2.2", dtmf: "0123456789*#ABCD", dtmfDelay: .seconds(1))))
        world.run(for: .seconds(8))
        let incoming = try #require(world.incoming(1))
        #expect(world.digits(1) == "0123456789*#ABCD")
        #expect(world.events(0).contains(.digitsSent))
        world.input(1, .dtmf(incoming, "5x5"))
        world.run(for: .seconds(2))
        #expect(world.digits(0) == "55")
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        #expect(world.report(1)?.digits == "0123456789*#ABCD")
        // Their places in the sequence are not taken for lost audio.
        #expect(world.report(1)?.concealed == 0)
        #expect(world.report(1)?.lost == 0)
    }

    @Test("RFC 4733 2.5.1.4: one audio packet in five lost, and still every digit arrives once")
    func lossyDigits() {
        var world = three()
        world.input(0, .call(CallRequest(id: outgoing, target: "sip:102@192.0.2.2")))
        world.run(for: .seconds(3))
        var count = 0
        world.wire = { datagram in
            guard datagram.source.port == 16_384 else { return datagram }
            count += 1
            return count % 5 == 0 ? nil : datagram
        }
        world.input(0, .dtmf(outgoing, "112233"))
        world.run(for: .seconds(4))
        #expect(world.digits(1) == "112233")
    }

    @Test("Digits by INFO go out one after the other, and are understood")
    func info() {
        var settings = CallSettings()
        settings.dtmf = .info
        var world = CallWorld([.caller(1, calls: settings), .caller(2, calls: .auto())])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        world.input(0, .dtmf(outgoing, "12#"))
        world.run(for: .seconds(1))
        #expect(world.digits(1) == "12#")
        #expect(world.requests(.info).count == 3)
    }

    @Test("RFC 3428: MESSAGE is shown as text, without control characters")
    func text() {
        var world = three()
        let body = "hello\u{1B}[2J there"
        world.inject(
            Datagram(
                from: Endpoint("192.0.2.66:5060")!, to: Endpoint("192.0.2.2:5060")!,
                Array(
                    ("MESSAGE sip:102@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;rport;branch=z9hG4bKm\r\n"
                        + "Max-Forwards: 70\r\nFrom: <sip:x@192.0.2.66>;tag=x\r\nTo: <sip:102@192.0.2.2>\r\nCall-ID: m\r\n"
                        + "CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8
                )))
        #expect(world.texts[1].map(\.text) == ["hello [2J there"])
        #expect(world.texts[1].map(\.from) == ["sip:x@192.0.2.66"])
        #expect(world.sip.last?.message.statusCode == 200)
    }
}

extension CallWorld {
    func digits(_ phone: Int) -> String {
        String(events(phone).compactMap { if case .digit(let digit) = $0 { digit } else { nil } })
    }
}
