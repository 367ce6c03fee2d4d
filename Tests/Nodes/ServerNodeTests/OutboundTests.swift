import Base
import Foundation
import SIP
import ServerNode
import Testing

@Suite("Flows, Path and outbound: RFC 5626, 3327, 3581")
struct OutboundTests {
    static let instance = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\""

    static func outbound(
        _ regID: Int, port: Int = 5060, callID: String = "c1", cseq: UInt32 = 1, extra: String = "Supported: path, outbound\r\n"
    ) -> Register {
        Register(
            callID: callID, cseq: cseq, contact: "<sip:alice@192.168.1.10:\(port)>;reg-id=\(regID);\(instance)", extra: extra)
    }

    @Test("RFC 5626 6: Require: outbound and Flow-Timer in the 200, reg-id and instance echoed")
    func granted() throws {
        let h = Harness()
        let ok = try h.register(Self.outbound(1))
        #expect(try ok.require.map(\.string) == ["outbound"])
        #expect(ok.first(.flowTimer)?.value.string == "30")
        #expect(h.contacts(ok) == ["<sip:alice@192.168.1.10:5060>;reg-id=1;\(Self.instance);expires=3600"])
        #expect(h.alice.first?.regID == 1)
    }

    @Test("RFC 5626 6: the same instance and reg-id replace the flow, another reg-id adds one")
    func replaces() throws {
        let h = Harness()
        _ = try h.register(Self.outbound(1))
        let later = Harness.flow(Endpoint(Harness.phone.address, 41_000))
        _ = try h.register(Self.outbound(1, port: 5070, callID: "c2"), on: later)
        #expect(h.alice.map(\.flow) == [later])
        _ = try h.register(Self.outbound(2, port: 5070, callID: "c3"))
        #expect(h.alice.map(\.regID) == [1, 2])
    }

    @Test("RFC 5626 6: without Supported: outbound, reg-id means nothing")
    func notSupported() throws {
        let h = Harness()
        let ok = try h.register(Self.outbound(1, extra: ""))
        #expect(try ok.require.isEmpty)
        #expect(h.alice.first?.regID == 0)
    }

    @Test("RFC 5626 6: two contacts with reg-id in one request are 400")
    func twoFlows() throws {
        let h = Harness()
        var request = Self.outbound(1)
        request.contact! += ", <sip:alice@192.168.1.10:5071>;reg-id=2;\(Self.instance)"
        #expect(try h.register(request).statusCode == 400)
    }

    @Test("RFC 5626 6: behind a proxy whose Path lacks ob: 439; with ob: accepted")
    func firstHop() throws {
        for (path, status) in [("<sip:edge.example;lr>", 439), ("<sip:edge.example;lr;ob>", 200)] {
            let h = Harness()
            var request = Self.outbound(1)
            request.extra += "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKinner\r\nPath: \(path)\r\n"
            #expect(try h.register(request).statusCode == status)
        }
    }

    @Test("RFC 3327 5.3: Path is kept, echoed, and leads requests as Route")
    func path() throws {
        let h = Harness()
        let ok = try h.register(Register(extra: "Path: <sip:p1.example;lr>\r\nPath: <sip:p2.example;lr>\r\nSupported: path\r\n"))
        #expect(ok.first(.path)?.value.string == "<sip:p1.example;lr>, <sip:p2.example;lr>")
        h.input(.probe(aor: AddressOfRecord("alice@pinhole")!))
        let options = try SIPMessage(parsing: try #require(h.sent.last).bytes)
        #expect(try options.routes.map(\.uriText.string) == ["sip:p1.example;lr", "sip:p2.example;lr"])
    }

    /// (NAT handling, Via, where the reply goes, Via of the reply)
    @Test(
        "Replies: over the flow with NAT handling; by the letter of RFC 3261 18.2.2 and RFC 3581 without",
        arguments: [
            (true, "192.168.1.10:5070", 40_000, "192.168.1.10:5070;branch=z9hG4bKb;received=203.0.113.7"),
            (true, "192.168.1.10:5070;rport", 40_000, "192.168.1.10:5070;branch=z9hG4bKb;received=203.0.113.7;rport=40000"),
            (false, "192.168.1.10:5070", 5070, "192.168.1.10:5070;branch=z9hG4bKb;received=203.0.113.7"),
            (false, "192.168.1.10", 5060, "192.168.1.10;branch=z9hG4bKb;received=203.0.113.7"),
            (false, "203.0.113.7:5070", 5070, "203.0.113.7:5070;branch=z9hG4bKb"),
            (false, "192.168.1.10:5070;rport", 40_000, "192.168.1.10:5070;branch=z9hG4bKb;received=203.0.113.7;rport=40000"),
            (
                false, "192.168.1.10:5070;maddr=8.8.8.8", 5070,
                "192.168.1.10:5070;maddr=8.8.8.8;branch=z9hG4bKb;received=203.0.113.7"
            ),
            (
                true, "192.168.1.10;received=9.9.9.9;rport=1", 40_000,
                "192.168.1.10;branch=z9hG4bKb;received=203.0.113.7;rport=40000"
            ),
        ] as [(Bool, String, UInt16, String)])
    func replies(nat: Bool, via: String, port: UInt16, echoed: String) throws {
        var settings = ServerSettings()
        settings.natHandling = nat
        let h = Harness(settings)
        let out = h.receive(Register(branch: "z9hG4bKb", via: via).text)
        #expect(out.map(\.flow) == [Harness.flow(Endpoint(Harness.phone.address, port))])
        let written = String(decoding: out[0].bytes, as: UTF8.self).components(separatedBy: "\r\n")[1]
        #expect(written == "Via: SIP/2.0/UDP \(echoed)")
    }

    @Test("Requests: over the flow with NAT handling, to the Contact as written without")
    func requests() throws {
        for (nat, remote) in [(true, Harness.phone), (false, Endpoint("192.168.1.10:5060")!)] {
            var settings = ServerSettings()
            settings.natHandling = nat
            let h = Harness(settings)
            _ = try h.register()
            h.input(.probe(aor: AddressOfRecord("alice@pinhole")!))
            #expect(h.sent.last?.flow == Harness.flow(remote))
        }
    }

    @Test("Without NAT handling a Contact that is no address cannot be reached, and says so")
    func unroutable() throws {
        var settings = ServerSettings()
        settings.natHandling = false
        let h = Harness(settings)
        _ = try h.register(Register(contact: "<sip:alice@phone.invalid>"))
        h.input(.probe(aor: AddressOfRecord("alice@pinhole")!))
        #expect(h.probed.first?.outcomes.map(\.result) == [.unroutable])
    }

    @Test("All Vias, in their order and spelling, come back")
    func allVias() throws {
        let h = Harness()
        let text = Register().text.replacing(
            "Max-Forwards: 70\r\n",
            with: "v: SIP/2.0/UDP  a.example ;branch=z9hG4bK1 , SIP/2.0/TCP b.example;branch=z9hG4bK2\r\nMax-Forwards: 70\r\n")
        let answer = try h.ask(text)
        #expect(
            answer.all(.via).map(\.value.string).last
                == "SIP/2.0/UDP  a.example ;branch=z9hG4bK1 , SIP/2.0/TCP b.example;branch=z9hG4bK2")
        #expect(try answer.vias.count == 3)
    }

    @Test("The advertised address of the peer's network stands in Via and Contact of our requests")
    func advertised() throws {
        var settings = ServerSettings()
        settings.advertised = [
            .init(peers: IPPrefix("10.0.0.0/8")!, host: "10.1.1.1"),
            .init(peers: IPPrefix("203.0.113.0/24")!, host: "pbx.example", port: 5080),
        ]
        let h = Harness(settings)
        _ = try h.register()
        h.input(.probe(aor: AddressOfRecord("alice@pinhole")!))
        let options = try SIPMessage(parsing: try #require(h.sent.last).bytes)
        #expect(try options.topVia.host.description == "pbx.example")
        #expect(try options.topVia.port == 5080)
        #expect(h.contacts(options) == ["<sip:pbx.example:5080>"])
        #expect(h.sent.last?.flow.local == Harness.local)
    }
}
