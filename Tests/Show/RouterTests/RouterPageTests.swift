import ALG
import Base
import NAT
import Packet
import RouterNode
import ShowRouter
import ShowText
import Testing

@Suite("the router's page")
struct RouterPageTests {
    private static let phone = Endpoint("192.168.1.2:5060")!
    private static let server = Endpoint("203.0.113.20:5060")!
    private static let start = Instant(seconds: 1_000)

    private func router(branch: String = "z9hG4bK-1") throws -> RouterNode {
        var router = RouterNode(settings: .linux(wan: IPv4Address(198, 51, 100, 7)), entropy: Entropy(labSeed: 1))
        let register =
            [
                "REGISTER sip:example.net SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.2:5060;branch=\(branch);rport",
                "CSeq: 1 REGISTER",
                "Contact: <sip:snom@192.168.1.2:5060>", "Content-Length: 0",
            ].map { $0 + "\r\n" }.joined() + "\r\n"
        let packet = try IPPacket.bytes(of: Datagram(from: Self.phone, to: Self.server, Array(register.utf8)))
        router.receive(.packet(.lan, packet), at: Self.start)
        router.receive(.packet(.wan, [1, 2, 3]), at: Self.start + .seconds(2))
        while router.nextOutput() != nil {}
        return router
    }

    @Test("the snapshot as a page: state, sides, mappings with age and keeper, rewrites as before and after, drops with reason")
    func page() throws {
        let snapshot = try router().snapshot(at: Self.start + .seconds(5))
        let text = RouterPage(snapshot).text(ReportStyle(isUnicode: false, width: 110))
        #expect(text.hasPrefix("Linux  ALG on (linux)\n"))
        #expect(text.contains("\nwan 198.51.100.7  in 1 packets 3 octets, out 1 packets "))
        #expect(text.contains("udp    192.168.1.2:5060  198.51.100.7:5060  203.0.113.20:5060"))
        #expect(
            text.contains("5 s ago  Via out  192.168.1.2:5060 - 203.0.113.20:5060\n  - 192.168.1.2:5060\n  + 198.51.100.7:5060\n")
        )
        #expect(text.contains("1  wan   malformed  3 s ago\n"))
        for line in text.split(separator: "\n") { #expect(displayWidth(String(line)) <= 110) }
    }

    @Test("colours only where there are some, and no line wider than the terminal", arguments: [40, 60, 80, 200])
    func width(width: Int) throws {
        let snapshot = try router().snapshot(at: Self.start + .seconds(5))
        let plain = RouterPage(snapshot).text(ReportStyle(isUnicode: true, width: width))
        for line in plain.split(separator: "\n") { #expect(displayWidth(String(line)) <= max(width, 70), "\(line)") }
        #expect(!plain.contains("\u{1b}"))
        #expect(RouterPage(snapshot).text(ReportStyle(isColoured: true, width: width)).contains("\u{1b}[32m+ 198.51.100.7:5060"))
    }

    @Test("a page of a given height stays within it and says how much was left out")
    func height() throws {
        var router = try router()
        for port in 1..<200 {
            let packet = try IPPacket.bytes(
                of: Datagram(from: Endpoint(Self.phone.address, UInt16(port + 6000)), to: Self.server, [0]))
            router.receive(.packet(.lan, packet), at: Self.start + .seconds(3))
        }
        let snapshot = router.snapshot(at: Self.start + .seconds(5))
        let text = RouterPage(snapshot, RouterPage.Options(height: 40)).text(ReportStyle(width: 120))
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 41)
        #expect(text.contains("more lines)"))
    }

    @Test("the snapshot as JSON: one line, the same facts, texts of peers escaped")
    func json() throws {
        let snapshot = try router().snapshot(at: Self.start + .seconds(5))
        let text = RouterJSON(snapshot).value.text
        #expect(!text.contains("\n"))
        #expect(text.hasPrefix(#"{"router":"Linux","at":1005000,"up":true,"alg":{"on":true,"profile":"linux","ports":["5060"],"#))
        #expect(
            text.contains(
                #""fields":[{"field":"Via","direction":"out","count":1},{"field":"Contact","direction":"out","count":1}]"#))
        #expect(text.contains(#""before":"192.168.1.2:5060","after":"198.51.100.7:5060"}"#))
        #expect(
            text.contains(#""age":5000,"idle":3600000,"left":3595000,"keptBy":"ALG","sinceRefresh":5000,"state":null}"#),
            "\(text)")
        #expect(text.hasSuffix(#""drops":[{"interface":"wan","reason":"malformed","count":1,"ago":3000}]}"#))
    }
}
