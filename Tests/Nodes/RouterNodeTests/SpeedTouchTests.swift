import ALG
import Base
import NAT
import Packet
import RouterNode
import Testing

@Suite("SpeedTouch 780: the mechanism of the moving ports")
struct SpeedTouchTests {
    let wan = IPAddress.v4(RouterBench.wan)
    let phone = RouterBench.phone
    let server = RouterBench.server
    let stun = RouterBench.stun
    let rtp = Endpoint("192.168.1.2:10000")!

    private func external(_ port: UInt16) -> Endpoint { Endpoint(wan, port) }

    @Test("CSeq 1, 2, 3 leave from 52899, 52896, 52899; STUN sees 52898; responses arrive 200 ms late")
    func story() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, stun, [UInt8](repeating: 1, count: 20))
        try bench.send(.lan, rtp, stun, [UInt8](repeating: 2, count: 20))
        var out = try bench.datagrams(.wan)
        #expect(out.map(\.source.port) == [52899, 52898, 52897])
        #expect(out[0].text == Script.register(1, contact: "198.51.100.7:52899", via: "198.51.100.7:52899"))

        bench.run(to: 40)
        try bench.send(.wan, server, external(52899), Script.response(401, 1, via: "198.51.100.7:52899", nonce: "A"))
        try bench.send(.wan, stun, external(52898), [UInt8](repeating: 3, count: 32))
        #expect(try bench.datagrams(.lan).map(\.destination) == [phone])

        bench.run(to: 41)
        try bench.send(.lan, phone, server, Script.register(2, contact: "198.51.100.7:52898"))
        out = try bench.datagrams(.wan)
        #expect(out.map(\.source.port) == [52896])
        // A Contact learnt from STUN is none of the flow's endpoints and passes.
        #expect(out[0].text == Script.register(2, contact: "198.51.100.7:52898", via: "198.51.100.7:52896"))

        bench.run(to: 81)
        try bench.send(.wan, server, external(52896), Script.response(401, 2, via: "198.51.100.7:52896", nonce: "B"))
        bench.run(to: 239)
        #expect(try bench.datagrams(.lan).isEmpty)
        bench.run(to: 240)
        #expect(try bench.datagrams(.lan).map(\.text) == [Script.response(401, 1, via: "192.168.1.2:5060", nonce: "A")])

        try bench.send(
            .lan, phone, server, Script.register(3, contact: "198.51.100.7:52898", authorization: "Digest nonce=\"A\""))
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52899])

        bench.run(to: 280)
        #expect(try bench.datagrams(.lan).isEmpty)
        try bench.send(.wan, server, external(52899), Script.response(401, 3, via: "198.51.100.7:52899", nonce: "C"))
        bench.run(to: 281)
        #expect(try bench.datagrams(.lan).map(\.text) == [Script.response(401, 2, via: "192.168.1.2:5060", nonce: "B")])
        bench.run(to: 479)
        #expect(try bench.datagrams(.lan).isEmpty)
        bench.run(to: 480)
        #expect(try bench.datagrams(.lan).map(\.text) == [Script.response(401, 3, via: "192.168.1.2:5060", nonce: "C")])
    }

    @Test("after the STUN mapping idled out, STUN sees a new port and SIP has its old ones")
    func tick() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, stun, [1, 2, 3])
        bench.run(to: 100)
        try bench.send(.wan, server, external(52899), Script.response(401, 1, via: "198.51.100.7:52899", nonce: "A"))
        bench.run(to: 90_000)
        _ = try bench.datagrams(.wan)
        try bench.send(.lan, phone, stun, [1, 2, 3])
        try bench.send(.lan, phone, server, Script.register(2, contact: "198.51.100.7:52897"))
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52897, 52899])
    }

    @Test(
        "a retransmission leaves by its request's mapping, a keepalive by the oldest, an unanswered transaction ends after 32 s")
    func choice() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, server, Script.register(2, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, server, Script.register(2, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, server, "\r\n\r\n")
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52899, 52898, 52898, 52899, 52899])
        bench.run(to: 31_999)
        try bench.send(.lan, phone, server, Script.register(3, contact: "192.168.1.2:5060"))
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52897])
        bench.run(to: 32_000)
        try bench.send(.lan, phone, server, Script.register(4, contact: "192.168.1.2:5060"))
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52899])
    }

    @Test("SIP's mappings live 600 s, then a fresh one is taken")
    func idle() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        bench.run(to: 599_000)
        try bench.send(.wan, server, external(52899), Script.response(200, 9, via: "198.51.100.7:52899"))
        #expect(try bench.datagrams(.lan).isEmpty)
        bench.run(to: 599_200)
        #expect(try bench.datagrams(.lan).count == 1)
        bench.run(to: 1_300_000)
        _ = try bench.datagrams(.wan)
        try bench.send(.wan, server, external(52899), Script.response(200, 9, via: "198.51.100.7:52899"))
        bench.run(to: 1_301_000)
        #expect(try bench.datagrams(.lan).isEmpty)
        try bench.send(.lan, phone, server, Script.register(2, contact: "192.168.1.2:5060"))
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52898])
    }

    @Test("a request from outside is answered by the mapping it came to, and is not held back")
    func inboundRequest() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, phone, server, Script.register(2, contact: "192.168.1.2:5060"))
        _ = try bench.datagrams(.wan)
        let options = Script.lines([
            "OPTIONS sip:snom@198.51.100.7:52898 SIP/2.0", "Via: SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bKo",
            "Call-ID: probe@server", "CSeq: 102 OPTIONS", "Content-Length: 0",
        ])
        try bench.send(.wan, server, external(52898), options)
        #expect(try bench.datagrams(.lan).map(\.destination) == [phone])
        let answer = Script.lines([
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bKo", "Call-ID: probe@server", "CSeq: 102 OPTIONS",
            "Content-Length: 0",
        ])
        try bench.send(.lan, phone, server, answer)
        #expect(try bench.datagrams(.wan).map(\.source.port) == [52898])
    }

    @Test("switched off by the published command: one shared mapping, bytes untouched, nothing held")
    func switchedOff() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        #expect(bench.command("connection") == "{Administrator}[connection]=>")
        #expect(bench.command("appconfig application=SIP SIP_ALG=disabled") == "{Administrator}[connection]=>")
        #expect(!bench.router.isALGOn)
        _ = try bench.datagrams(.wan)
        for step in 0..<6 {
            bench.run(to: 1_000 + step * 30_000)
            try bench.send(.lan, phone, server, Script.register(step + 2, contact: "198.51.100.7:52898"))
            try bench.send(.lan, phone, stun, [1, 2, 3])
        }
        let out = try bench.datagrams(.wan)
        #expect(Set(out.map(\.source.port)) == [52898])
        #expect(out[0].text == Script.register(2, contact: "198.51.100.7:52898"))
        let response = Script.response(401, 7, via: "192.168.1.2:5060", nonce: "A")
        try bench.send(.wan, server, external(52898), response)
        #expect(try bench.datagrams(.lan).map(\.text) == [response])
    }

    @Test("what is not saved is gone after a reboot; mappings and held packets always are")
    func reboot() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        bench.run(to: 40)
        try bench.send(.wan, server, external(52899), Script.response(401, 1, via: "198.51.100.7:52899", nonce: "A"))
        _ = bench.command(":connection appconfig application SIP SIP_ALG disabled")
        #expect(!bench.router.isALGOn)
        #expect(bench.command("system reboot") == "rebooting\n")
        #expect(!bench.router.isUp)
        _ = try bench.datagrams(.wan)
        try bench.send(.lan, phone, server, Script.register(2, contact: "192.168.1.2:5060"))
        bench.run(to: 30_039)
        #expect(!bench.router.isUp)
        bench.run(to: 30_040)
        #expect(bench.router.isUp)
        #expect(bench.sent.isEmpty)
        #expect(bench.router.isALGOn)
        #expect(bench.router.mappings.isEmpty)
        _ = bench.command(":connection appconfig application=SIP SIP_ALG=disabled")
        #expect(bench.command("saveall").hasSuffix("{Administrator}=>"))
        bench.feed(.reboot)
        bench.run(to: 90_000)
        #expect(!bench.router.isALGOn)
    }

    @Test("every rewrite is told: which field, from what, to what")
    func traces() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        let rewrites = bench.traces.compactMap { trace -> ALGRewrite? in
            if case .alg(.rewrote(let rewrite, _, .outbound)) = trace { return rewrite }
            return nil
        }
        #expect(
            rewrites == [
                ALGRewrite(.topVia, before: "192.168.1.2:5060", after: "198.51.100.7:52899"),
                ALGRewrite(.contact, before: "192.168.1.2:5060", after: "198.51.100.7:52899"),
            ])
        bench.run(to: 40)
        try bench.send(.wan, server, external(52899), Script.response(401, 1, via: "198.51.100.7:52899", nonce: "A"))
        bench.run(to: 300)
        #expect(bench.traces.contains(.released(heldFor: .milliseconds(200))))
    }
}
