import Base
import PhoneNode
import SDP
import SIP
import SIPStack
import Testing

@Suite("Calls against a scripted peer")
struct ScriptedPeerTests {
    private func world(_ peer: Peer, _ settings: CallSettings = CallSettings(), password: String = "secret") -> CallWorld {
        var phone = PhoneSettings.caller(1, calls: settings)
        phone.identity.password = password
        var world = CallWorld([phone])
        world.scripted = [Peer.endpoint, Endpoint("192.0.2.250:4000")!, Endpoint("192.0.2.251:5060")!]
        world.script = { datagram, _ in peer.receive(datagram) }
        return world
    }

    @Test(
        "RFC 3261 22.2, 22.3: an INVITE is repeated with credentials, and so are the BYE and the re-INVITE",
        arguments: [401, 407])
    func challenged(status: Int) throws {
        let peer = Peer()
        let field = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate"
        let name: HeaderName = status == 401 ? .authorization : .proxyAuthorization
        peer.answers = { peer, request in
            guard request.method != .ack else { return [] }
            guard request.first(name) != nil else {
                return [peer.response(request, status, lines: "\(field): Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n")]
            }
            return [peer.response(request, 200, sdp: request.method == .invite ? Peer.sdp : "")]
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(2))
        #expect(world.wasAnswered(0))
        #expect(peer.count(.invite) == 2)
        #expect(try peer.requests.filter { $0.method == .invite }.map { try $0.cseq.number }.reduce(0) { $1 - $0 } == 1)
        #expect(peer.last(.invite)?.first(name)?.value.string.contains("nc=00000001") == true)
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(2))
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(2))
        // Asked once, credentials go along unasked, with a count of their own.
        #expect(peer.count(.invite) == 3)
        #expect(peer.count(.bye) == 1)
        #expect(peer.last(.bye)?.first(name)?.value.string.contains("nc=00000003") == true)
        #expect(world.report(0)?.end == .hungUp)
    }

    @Test("A wrong password ends the call after a few rounds instead of going on for ever")
    func wrongPassword() {
        let peer = Peer()
        peer.answers = { peer, request in
            request.method == .ack
                ? []
                : [
                    peer.response(
                        request, 401, lines: "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\(peer.requests.count)\"\r\n")
                ]
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(5))
        #expect(peer.count(.invite) == 5)
        #expect(world.report(0)?.end == .refused(code: 401, reason: "Reason"))
    }

    @Test("Only our own server gets an answer to its challenge: whoever is called elsewhere learns nothing of the password")
    func foreignChallenge() {
        let peer = Peer()
        peer.answers = { peer, request in
            request.method == .ack
                ? [] : [peer.response(request, 401, lines: "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n")]
        }
        var world = world(peer)
        world.call(0, "sip:x@192.0.2.251")
        world.run(for: .seconds(5))
        #expect(peer.count(.invite) == 1)
        #expect(world.report(0)?.end == .refused(code: 401, reason: "Reason"))
    }

    @Test("RFC 3261 8.1.3.4: a redirection is followed, but not for ever")
    func redirected() {
        let peer = Peer()
        peer.answers = { peer, request in
            guard request.method == .invite else { return [] }
            let text = String(decoding: peer.response(request, 302, lines: ""), as: UTF8.self)
            return [Array(text.replacing("<sip:peer@192.0.2.250>", with: "<sip:next\(peer.requests.count)@192.0.2.251>").utf8)]
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(5))
        #expect(peer.count(.invite) == 6)
        #expect(peer.requests.filter { $0.method == .invite }[1].requestURIText?.string == "sip:next1@192.0.2.251")
        #expect(world.report(0)?.end == .refused(code: 302, reason: "Reason"))
    }

    @Test("RFC 3261 13.2.2.4: two branches of a fork answer; the second is acknowledged and hung up")
    func forked() {
        let peer = Peer()
        peer.answers = { peer, request in
            switch request.method {
            case .some(.invite):
                [
                    peer.response(request, 180, tag: "a"), peer.response(request, 180, tag: "b"),
                    peer.response(request, 200, tag: "a", sdp: Peer.sdp), peer.response(request, 200, tag: "b", sdp: Peer.sdp),
                ]
            case .some(.ack): []
            default: [peer.response(request, 200)]
            }
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(3))
        #expect(peer.count(.ack) == 2)
        #expect(peer.count(.bye) == 1)
        #expect(peer.last(.bye)?.first(.to)?.value.string.hasSuffix("tag=b") == true)
        #expect(world.phones[0].callCount == 1)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        #expect(peer.last(.bye)?.first(.to)?.value.string.hasSuffix("tag=a") == true)
    }

    @Test("RFC 3261 13.2.2.4: every copy of the 200 gets the same ACK, also after the transaction is over")
    func repeatedAnswer() throws {
        let peer = Peer()
        peer.answers = { peer, request in request.method == .ack ? [] : [peer.response(request, 200, sdp: Peer.sdp)] }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(1))
        let answer = Datagram(
            from: Peer.endpoint, to: Endpoint("192.0.2.1:5060")!,
            peer.response(try #require(peer.last(.invite)), 200, sdp: Peer.sdp))
        world.inject(answer)
        world.run(for: .seconds(40))
        world.inject(answer)
        world.run(for: .seconds(1))
        let acks = peer.requests.filter { $0.method == .ack }
        #expect(acks.count == 3)
        #expect(Set(acks.map(\.bytes)).count == 1)
        #expect(peer.count(.bye) == 0)
    }

    @Test("RFC 3261 12.2.1.1: requests inside the dialog follow Record-Route, strict routers too")
    func routed() {
        let peer = Peer()
        peer.answers = { peer, request in
            request.method == .ack
                ? []
                : [
                    peer.response(
                        request, 200, lines: "Record-Route: <sip:192.0.2.251;lr>\r\nRecord-Route: <sip:192.0.2.250;lr>\r\n",
                        sdp: request.method == .invite ? Peer.sdp : "")
                ]
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(1))
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let bye = peer.last(.bye)
        #expect(bye?.requestURIText?.string == "sip:peer@192.0.2.250")
        #expect(bye?.all(.route).map(\.value.string) == ["<sip:192.0.2.250;lr>", "<sip:192.0.2.251;lr>"])
    }

    @Test("An answer that does not fit the offer is acknowledged and hung up, in words")
    func unfitAnswer() {
        for sdp in [
            "", "v=0\r\n", Peer.sdp.replacing("m=audio 4000", with: "m=audio 0"),
            Peer.sdp.replacing("RTP/AVP 0", with: "RTP/AVP 99"),
            Peer.sdp.replacing("m=audio", with: "m=video"),
            Peer.sdp.replacing("IN IP4 192.0.2.250\r\nt", with: "IN IP6 ::1\r\nt"),
        ] {
            let peer = Peer()
            peer.answers = { peer, request in
                request.method == .ack ? [] : [peer.response(request, 200, sdp: request.method == .invite ? sdp : "")]
            }
            var world = world(peer)
            world.call(0, "8000")
            world.run(for: .seconds(3))
            #expect(peer.count(.ack) == 1, "\(sdp)")
            #expect(peer.count(.bye) == 1, "\(sdp)")
            guard case .incompatible? = world.report(0)?.end else {
                Issue.record("\(sdp): \(String(describing: world.report(0)?.end))")
                continue
            }
        }
    }

    @Test("RFC 4028 7.2: a peer that ignores session timers is refreshed by re-INVITE all the same")
    func timerAlone() {
        let peer = Peer()
        peer.answers = { peer, request in
            request.method == .ack ? [] : [peer.response(request, 200, sdp: request.method == .invite ? Peer.sdp : "")]
        }
        var settings = CallSettings()
        settings.sessionExpires = 90
        var world = world(peer, settings)
        world.call(0, "8000")
        world.run(for: .seconds(100))
        #expect(peer.count(.invite) == 3)
        #expect(peer.count(.update) == 0)
        let bodies = Set(peer.requests.filter { $0.method == .invite }.map { Array($0.body) })
        // The same description with the same version: nothing is renegotiated.
        #expect(bodies.count == 1)
        #expect(world.phones[0].callCount == 1)
    }

    @Test("RFC 3261 12.2.1.2: 481 to a request inside the dialog ends the call")
    func gone() {
        let peer = Peer()
        peer.answers = { peer, request in
            switch request.method {
            case .some(.ack): []
            case .some(.invite) where peer.count(.invite) == 1: [peer.response(request, 200, sdp: Peer.sdp)]
            default: [peer.response(request, 481)]
            }
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(1))
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(1))
        #expect(world.report(0)?.end == .lost("the other side knows nothing of the call any more"))
        #expect(world.phones[0].callCount == 0)
    }

    @Test("A re-INVITE that is refused leaves the call as it was")
    func holdRefused() {
        let peer = Peer()
        peer.answers = { peer, request in
            switch request.method {
            case .some(.ack): []
            case .some(.invite) where peer.count(.invite) == 1: [peer.response(request, 200, sdp: Peer.sdp)]
            default: [peer.response(request, 488)]
            }
        }
        var world = world(peer)
        world.call(0, "8000")
        world.run(for: .seconds(1))
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(1))
        #expect(world.events(0).contains(.refused("the other side refuses hold: 488")))
        #expect(world.phones[0].callCount == 1)
    }

    @Test("Our 200 is repeated until its ACK, for 32 s, then the call is hung up (RFC 3261 13.3.1.4)")
    func neverAcknowledged() {
        let peer = Peer()
        var settings = CallSettings()
        settings.answers = .auto(after: .zero)
        var world = world(peer, settings)
        peer.answers = { peer, request in [peer.response(request, 200)] }
        let invite =
            "INVITE sip:101@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.250;branch=z9hG4bKx;rport\r\nMax-Forwards: 70\r\n"
            + "From: <sip:p@192.0.2.250>;tag=p\r\nTo: <sip:101@192.0.2.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
            + "Contact: <sip:p@192.0.2.250>\r\nContent-Type: application/sdp\r\nContent-Length: \(Peer.sdp.utf8.count)\r\n\r\n\(Peer.sdp)"
        world.inject(Datagram(from: Peer.endpoint, to: Endpoint("192.0.2.1:5060")!, Array(invite.utf8)))
        world.run(for: .seconds(60))
        let answers = world.responses(200, to: .invite)
        #expect(answers.count == 11)
        #expect(peer.count(.bye) == 1)
        #expect(world.report(0)?.end == .lost("our 200 was never acknowledged"))
    }
}
