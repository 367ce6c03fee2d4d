import Base
import PhoneNode
import SDP
import SIP
import Testing

@Suite("Changes within a call")
struct RenegotiationTests {
    private func talking(_ calls: CallSettings = CallSettings(), _ answering: CallSettings = .auto()) throws -> (
        CallWorld, PhoneCallID
    ) {
        var world = CallWorld([.caller(1, calls: calls), .caller(2, calls: answering)])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        return (world, try #require(world.incoming(1)))
    }

    private func state(_ world: CallWorld, _ phone: Int) -> CallMediaState? {
        world.events(phone).reversed().lazy.compactMap { if case .media(let state) = $0 { state } else { nil } }.first
    }

    @Test("RFC 3264 8.4: hold says sendonly, the held side recvonly; neither hears the other; resume undoes it")
    func hold() throws {
        var (world, incoming) = try talking()
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(3))
        #expect(state(world, 0)?.heldByUs == true)
        #expect(state(world, 1)?.heldByThem == true)
        #expect(state(world, 1)?.sends == false)
        let offer = try SessionDescription(parsing: Array(try #require(world.requests(.invite).last).body))
        #expect(offer.direction(of: 0) == .sendonly)
        #expect(offer.origin?.versionNumber == 2)
        let answer = try SessionDescription(parsing: Array(try #require(world.responses(200, to: .invite).last).body))
        #expect(answer.direction(of: 0) == .recvonly)
        #expect(world.share(of: 440, 1, incoming) < 0.01)
        let sent = world.phones[1].heard(of: incoming)
        #expect(sent != nil)
        world.input(0, .resume(outgoing))
        world.run(for: .seconds(3))
        #expect(state(world, 0)?.heldByUs == false)
        #expect(world.share(of: 440, 1, incoming) > 0.9)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
    }

    @Test("Both sides hold: inactive; one resumes, and still hears nothing")
    func bothHold() throws {
        var (world, incoming) = try talking()
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(1))
        world.input(1, .hold(incoming))
        world.run(for: .seconds(1))
        #expect(state(world, 1)?.heldByUs == true)
        #expect(state(world, 1)?.heldByThem == true)
        #expect(state(world, 0)?.sends == false)
        #expect(state(world, 0)?.receives == false)
        world.input(0, .resume(outgoing))
        world.run(for: .seconds(3))
        #expect(state(world, 0)?.heldByUs == false)
        #expect(state(world, 0)?.heldByThem == true)
        world.input(1, .resume(incoming))
        world.run(for: .seconds(3))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, incoming) > 0.9)
    }

    @Test("RFC 3261 14.1: two re-INVITEs that cross are both refused with 491 and come again, the called side's first")
    func glare() throws {
        var (world, incoming) = try talking()
        world.input(0, .hold(outgoing))
        world.input(1, .hold(incoming))
        world.run(for: .milliseconds(100))
        #expect(world.responses(491, to: .invite).count == 2)
        world.run(for: .seconds(10))
        #expect(state(world, 0)?.heldByUs == true)
        #expect(state(world, 1)?.heldByUs == true)
        #expect(world.responses(491, to: .invite).count == 2)
        #expect(world.phones.allSatisfy { $0.callCount == 1 })
    }

    @Test("Hold and resume in quick succession end in what was wanted last")
    func hasty() throws {
        var (world, incoming) = try talking()
        for _ in 0..<5 {
            world.input(0, .hold(outgoing))
            world.input(0, .resume(outgoing))
        }
        world.run(for: .seconds(3))
        #expect(state(world, 0)?.heldByUs == false)
        #expect(world.share(of: 440, 1, incoming) > 0.9)
    }

    @Test("RFC 3264 5: an INVITE without an offer; the 200 offers and the ACK answers")
    func lateOffer() throws {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto())])
        world.call(0, "sip:102@192.0.2.2", lateOffer: true)
        world.run(for: .seconds(4))
        #expect(try #require(world.requests(.invite).first).body.isEmpty)
        #expect(try !#require(world.requests(.ack).first).body.isEmpty)
        #expect(world.share(of: 880, 0, outgoing) > 0.95)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.95)
    }

    @Test("RFC 3262: provisional responses are acknowledged where one side requires it", arguments: [true, false])
    func reliable(callerRequires: Bool) throws {
        var caller = CallSettings()
        var callee = CallSettings.auto()
        if callerRequires { caller.reliability = .required } else { callee.reliability = .required }
        let (world, incoming) = try talking(caller, callee)
        #expect(world.requests(.prack).count == 1)
        #expect(world.responses(200, to: .prack).count == 1)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, incoming) > 0.9)
    }

    @Test("RFC 3262 5: without an offer in the INVITE the reliable 180 offers, and the PRACK answers")
    func reliableLateOffer() throws {
        var caller = CallSettings()
        caller.reliability = .required
        var world = CallWorld([.caller(1, calls: caller), .caller(2, calls: .auto())])
        world.call(0, "sip:102@192.0.2.2", lateOffer: true)
        world.run(for: .seconds(4))
        #expect(try !#require(world.responses(180, to: .invite).first).body.isEmpty)
        #expect(try !#require(world.requests(.prack).first).body.isEmpty)
        #expect(try #require(world.responses(200, to: .invite).first).body.isEmpty)
        #expect(world.share(of: 880, 0, outgoing) > 0.95)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.95)
    }

    @Test("RFC 3262 3: a reliable response that is never acknowledged ends the call after 32 s")
    func neverAcknowledged() {
        var caller = CallSettings()
        caller.reliability = .required
        var world = CallWorld([.caller(1, calls: caller), .caller(2)])
        world.wire = { datagram in
            (try? SIPMessage(parsing: datagram.payload)).map { $0.isRequest && $0.method == .prack } ?? false ? nil : datagram
        }
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(60))
        #expect(world.report(1)?.end == .lost("a provisional response was never acknowledged"))
        #expect(world.report(0)?.end == .refused(code: 504, reason: "Server Time-out"))
    }

    @Test("Early audio: 183 with an answer, and the caller hears it before the call is answered")
    func earlyMedia() throws {
        var callee = CallSettings.auto(.tone(700), after: .seconds(5))
        callee.earlyMedia = true
        var world = CallWorld([.caller(1), .caller(2, calls: callee)])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(4))
        #expect(!world.wasAnswered(0))
        #expect(world.responses(183, to: .invite).count == 1)
        #expect(world.share(of: 700, 0, outgoing) > 0.95)
        world.run(for: .seconds(4))
        #expect(world.wasAnswered(0))
        #expect(world.share(of: 700, 0, outgoing) > 0.95)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.95)
    }

    @Test("RFC 4028: the caller refreshes with UPDATE after half of the interval, and the call outlives the interval")
    func sessionTimer() throws {
        var caller = CallSettings()
        caller.sessionExpires = 90
        var (world, _) = try talking(caller)
        #expect(try #require(world.responses(200, to: .invite).first).first(.sessionExpires)?.value.string == "90;refresher=uac")
        world.run(for: .seconds(100))
        #expect(world.requests(.update).count == 2)
        #expect(world.responses(200, to: .update).count == 2)
        #expect(world.phones.allSatisfy { $0.callCount == 1 })
    }

    @Test("RFC 4028 10: refreshes that do not come through end the call on both sides, at most 32 s before the interval is over")
    func timerExpires() throws {
        var caller = CallSettings()
        caller.sessionExpires = 90
        var (world, _) = try talking(caller)
        world.wire = { datagram in (try? SIPMessage(parsing: datagram.payload)) == nil ? datagram : nil }
        world.run(for: .seconds(100))
        guard case .lost? = world.report(0)?.end, case .lost("the session timer ran out")? = world.report(1)?.end else {
            Issue.record("\(String(describing: world.report(0)?.end)) \(String(describing: world.report(1)?.end))")
            return
        }
        #expect(try #require(world.report(1)).talkTime >= .seconds(59))
    }

    @Test("RFC 4028 6: 422 names the shortest interval that is taken; the caller asks anew with it")
    func tooShort() throws {
        var caller = CallSettings()
        caller.sessionExpires = 90
        var callee = CallSettings.auto()
        callee.minimumSessionExpires = 120
        let (world, _) = try talking(caller, callee)
        #expect(world.responses(422, to: .invite).count == 1)
        #expect(world.wasAnswered(0))
        #expect(try #require(world.responses(200, to: .invite).first).first(.sessionExpires)?.value.string == "120;refresher=uac")
    }

    @Test("A phone whose address changes says so in a re-INVITE, and both hear each other again")
    func addressChange() throws {
        var (world, incoming) = try talking()
        world.input(0, .addressChanged([Endpoint("192.0.2.77:5060")!]))
        world.run(for: .seconds(4))
        let offer = try SessionDescription(parsing: Array(try #require(world.requests(.invite).last).body))
        #expect(offer.rtpEndpoint(of: 0) == Endpoint("192.0.2.77:16384"))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, incoming) > 0.9)
        world.input(1, .hangUp(incoming))
        world.run(for: .seconds(1))
        #expect(world.report(0)?.end == .hungUpByPeer)
        #expect(world.report(1)?.end == .hungUp)
    }

    @Test("No codec in common is 488 with a Warning that names the codecs")
    func noCodec() throws {
        var caller = CallSettings()
        caller.codecs = ["PCMU"]
        var callee = CallSettings.auto()
        callee.codecs = ["PCMA"]
        var world = CallWorld([.caller(1, calls: caller), .caller(2, calls: callee)])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(1))
        #expect(world.report(0)?.end == .refused(code: 488, reason: "Not Acceptable Here"))
        let warning = try #require(world.responses(488, to: .invite).first?.first(.warning)?.value.string)
        #expect(warning == "305 192.0.2.2 \"no codec in common, offered were PCMU/8000, telephone-event/8000, CN/8000\"")
        #expect(world.incoming(1) == nil)
    }

    @Test("PCMU is spoken where it is preferred")
    func mulaw() throws {
        var caller = CallSettings()
        caller.codecs = ["PCMU", "PCMA"]
        let (world, _) = try talking(caller)
        #expect(state(world, 0)?.codec == "PCMU")
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
    }
}
