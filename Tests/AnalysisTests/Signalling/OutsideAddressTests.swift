import Base
import Capture
import Testing

@testable import Analysis

@Suite("The router's own outside address, learnt from the Via of a request that comes back inside")
struct OutsideAddressTests {
    private let phone = Endpoint("192.168.1.40:5060")!
    private let other = Endpoint("192.168.1.41:5060")!
    private let proxy = Endpoint("203.0.113.9:5060")!

    private func invite(_ vias: [String]) -> Observation.What {
        let lines =
            ["INVITE sip:41@pbx.example SIP/2.0"] + vias + [
                "Max-Forwards: 70", "From: <sip:40@pbx.example>;tag=f", "To: <sip:41@pbx.example>", "Call-ID: inner",
                "CSeq: 1 INVITE", "Contact: <sip:40@192.168.1.40>", "Content-Length: 0",
            ]
        return .sip(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8), isCut: false)
    }

    /// What is known after the phone's INVITE came back with these Vias below the proxy's own.
    private func knows(
        _ vias: [String], from place: Endpoint? = nil, to end: Endpoint? = nil, _ address: String = "198.51.100.23"
    )
        -> Bool
    {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a.pcap", kind: .capture)])
        let own = "Via: SIP/2.0/UDP 192.168.1.40:5060;rport;branch=z9hG4bK-a"
        for (number, (what, source, destination)) in [
            (invite([own]), phone, proxy), (invite(vias), place ?? proxy, end ?? other),
        ].enumerated() {
            analyzer.observe(
                Observation(
                    place: .frame(file: 0, number: number + 1), time: Instant(seconds: 1_700_000_000 + Int64(number)),
                    source: source, destination: destination, transport: .udp, what: what))
        }
        return analyzer.media.outsides.contains(PackedAddress(IPAddress(address)!), 0)
    }

    private let proxys = "Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK-p"

    @Test(
        "the lowest Via, in a line of its own, after a comma, in its short form, with a port or parameters or without",
        arguments: [
            ["Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK-p", "Via: SIP/2.0/UDP 198.51.100.23:41000;rport;branch=z9hG4bK-a"],
            ["Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK-p, SIP/2.0/UDP 198.51.100.23;branch=z9hG4bK-a"],
            ["v: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK-p", "v: SIP/2.0/UDP 198.51.100.23:5060;branch=z9hG4bK-a;rport=41000"],
        ])
    func learns(vias: [String]) { #expect(knows(vias)) }

    @Test("another's branch, none, a domain, a single Via, or a request that goes out or comes from inside teaches nothing")
    func ignores() {
        let right = [proxys, "Via: SIP/2.0/UDP 198.51.100.23:41000;branch=z9hG4bK-a"]
        #expect(!knows([proxys, "Via: SIP/2.0/UDP 198.51.100.23:41000;branch=z9hG4bK-b"]))
        #expect(!knows([proxys, "Via: SIP/2.0/UDP 198.51.100.23:41000"]))
        #expect(!knows([proxys, "Via: SIP/2.0/UDP pbx.example;branch=z9hG4bK-a"]))
        #expect(!knows([right[1]]))
        #expect(!knows(right, to: Endpoint("203.0.113.77:5060")!))
        #expect(!knows(right, from: Endpoint("192.168.1.2:5060")!))
        #expect(!knows(right, "203.0.113.9"))
    }
}
