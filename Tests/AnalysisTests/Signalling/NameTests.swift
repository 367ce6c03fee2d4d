import Base
import Capture
import DNS
import Testing

@testable import Analysis

@Suite("dns.failed")
struct NameTests {
    private static let phone = Endpoint("192.168.1.20:40000")!
    private static let resolver = Endpoint("192.168.1.1:53")!

    /// What a tap sees of look-ups, and of SIP.
    private struct Tap {
        var ledger = NameLedger()
        private var frame = 0

        mutating func ask(_ name: String, _ type: DNSRecordType, at seconds: Double, times: Int = 1) {
            for time in 0..<times {
                see(DNSMessage.query(id: 7, DNSQuestion(DNSName(name)!, type)), phone, resolver, at: seconds + Double(time) * 5)
            }
        }

        mutating func answer(
            _ name: String, _ type: DNSRecordType, _ code: DNSResponseCode, _ data: DNSRecordData? = nil, at seconds: Double
        ) {
            var message = DNSMessage.query(id: 7, DNSQuestion(DNSName(name)!, type))
            message.isResponse = true
            message.code = code
            if let data { message.answers = [DNSRecord(DNSName(name)!, data)] }
            see(message, resolver, phone, at: seconds)
        }

        private mutating func see(_ message: DNSMessage, _ source: Endpoint, _ destination: Endpoint, at seconds: Double) {
            frame += 1
            let envelope = Envelope(
                place: .frame(file: 0, number: frame), time: Int64(seconds * 1e9), source: PackedEndpoint(source),
                destination: PackedEndpoint(destination))
            message.bytes(limit: 512).withUnsafeBytes { ledger.datagram($0, envelope) }
        }

        func findings(speaks: Bool = false, end: Double = 60) -> [Finding] {
            Judge(options: AnalysisOptions()).names(ledger, speaks: { _ in speaks }, end: { _ in Int64(end * 1e9) })
        }
    }

    @Test("a server's name that does not exist: the phone is told, and which name")
    func missing() throws {
        var tap = Tap()
        tap.ask("_sip._udp.pbx.exmaple", .srv, at: 0)
        tap.answer("_sip._udp.pbx.exmaple", .srv, .nameError, at: 0.1)
        tap.ask("pbx.exmaple", .a, at: 0.2)
        tap.answer("pbx.exmaple", .a, .nameError, at: 0.3)
        let found = tap.findings()
        #expect(found.map(\.name) == [.dnsFailed])
        let finding = try #require(found.first)
        #expect(finding.severity == .fault)
        #expect(
            finding.summary
                == "192.168.1.20 cannot find its SIP server: the name pbx.exmaple does not lead anywhere (the name server 192.168.1.1: NXDOMAIN)."
        )
        #expect(finding.evidence.map(\.place) == [.frame(file: 0, number: 4)])
    }

    @Test("a name server that never answers")
    func silent() {
        var tap = Tap()
        tap.ask("sip.example.org", .a, at: 0, times: 3)
        #expect(tap.findings().map(\.severity) == [.risk])
        tap.ask("other.example.org", .a, at: 1)
        tap.answer("other.example.org", .a, .noError, .a(IPv4Address("192.0.2.1")!), at: 1.1)
        #expect(tap.findings().map(\.severity) == [.fault])
        #expect(tap.findings(end: 4).isEmpty)
    }

    @Test("a phone that asks again and again and speaks no SIP got no answer, even if no answer of anybody was captured")
    func askedOften() {
        var tap = Tap()
        tap.ask("sip.example.org", .a, at: 0, times: 5)
        #expect(tap.findings().map(\.severity) == [.fault])
        #expect(tap.findings(speaks: true).isEmpty)
    }

    @Test("a phone that looks for its services first (RFC 3263 4.1) and gets no answer; an empty one says nothing")
    func servicesFirst() {
        var tap = Tap()
        tap.ask("example.org", .naptr, at: 0, times: 5)
        #expect(tap.findings().map(\.severity) == [.fault])
        tap.answer("example.org", .naptr, .noError, at: 30)
        #expect(tap.findings().isEmpty)
        var found = Tap()
        found.ask("example.org", .naptr, at: 0, times: 5)
        found.ask("example.org", .a, at: 22)
        found.answer("example.org", .a, .noError, .a(IPv4Address("192.0.2.1")!), at: 22.1)
        #expect(found.findings().isEmpty)
    }

    @Test("services and IPv6 addresses that are not there harm nobody while the host is found")
    func hostFound() {
        var tap = Tap()
        tap.ask("example.org", .naptr, at: 0)
        tap.answer("example.org", .naptr, .nameError, at: 0.1)
        tap.ask("_sip._udp.example.org", .srv, at: 0.2)
        tap.answer("_sip._udp.example.org", .srv, .nameError, at: 0.3)
        tap.ask("example.org", .aaaa, at: 0.4)
        tap.answer("example.org", .aaaa, .noError, at: 0.5)
        tap.ask("example.org", .a, at: 0.4)
        tap.answer("example.org", .a, .noError, .a(IPv4Address("192.0.2.1")!), at: 0.5)
        #expect(tap.findings().isEmpty)
    }

    @Test("a phone that speaks SIP all the same, and names of other things, are no matter")
    func others() {
        var tap = Tap()
        tap.ask("sip.example.org", .a, at: 0)
        tap.answer("sip.example.org", .a, .nameError, at: 0.1)
        #expect(tap.findings(speaks: true).isEmpty)
        var web = Tap()
        web.ask("www.example.org", .a, at: 0)
        web.answer("www.example.org", .a, .nameError, at: 0.1)
        #expect(web.findings().isEmpty)
    }

    @Test("octets that are no DNS, cut anywhere, are left alone")
    func hostile() {
        let bytes = DNSMessage.query(id: 7, DNSQuestion(DNSName("_sip._udp.example.org")!, .srv)).bytes(limit: 512)
        var ledger = NameLedger()
        let envelope = Envelope(
            place: .frame(file: 0, number: 1), time: 0, source: PackedEndpoint(Self.phone),
            destination: PackedEndpoint(Self.resolver))
        for count in 0...bytes.count { Array(bytes.prefix(count)).withUnsafeBytes { ledger.datagram($0, envelope) } }
        #expect(ledger.lookUps.count == 1)
    }

    @Test("a name that a blocker hides leads nowhere; asked once, or found otherwise, it says nothing")
    func hidden() throws {
        var tap = Tap()
        tap.ask("sip.prov.example", .a, at: 0, times: 3)
        tap.answer("sip.prov.example", .a, .noError, .a(IPv4Address("0.0.0.0")!), at: 11)
        #expect(
            tap.findings().map(\.summary) == [
                "192.168.1.20 cannot find its SIP server: the name server 192.168.1.1 says that sip.prov.example is at 0.0.0.0, which is no address of the network."
            ])
        #expect(tap.findings(speaks: true).isEmpty)
        tap.ask("sip.prov.example", .aaaa, at: 12)
        tap.answer("sip.prov.example", .aaaa, .noError, .aaaa(IPv6Address("2001:db8::5")!), at: 12.1)
        #expect(tap.findings().isEmpty)
        var once = Tap()
        once.ask("sip.prov.example", .a, at: 0)
        once.answer("sip.prov.example", .a, .noError, .a(IPv4Address("127.0.0.1")!), at: 0.1)
        #expect(once.findings().isEmpty)
    }
}
