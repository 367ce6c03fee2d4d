import Analysis
import Base
import ExplainCommand
import Testing

@Suite("explain, the command")
struct ExplainCommandTests {
    @Test(
        "usage that makes no sense is refused before anything is read",
        arguments: [
            [], ["a.pcap", "-i", "eth0"], ["-", "-"], ["a.pcap", "--seconds", "5"], ["-i", "lo", "--seconds", "0"],
            ["a", "--password", "x"],
            ["a", "--address", "here"], ["a", "--from", "soon"], ["a", "--finding", "nat.foo"], ["a", "--finding", "na"],
        ])
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { _ = try ExplainCommand.parse(arguments) }
    }

    @Test(
        "usage that does is accepted",
        arguments: [
            ["a.pcap"], ["in.pcap", "out.pcap", "--json"], ["-"], ["-i", "any", "--hep", "9060", "--seconds", "1.5"],
            ["a", "--password", "100=se=cret", "--password", "200=x"],
            ["a", "--from", "2026-08-20 16:15:26", "--to", "17:00:00.5"],
            [
                "a", "--finding", "nat", "--finding", "auth.stale-late", "--user", "100", "--call-id", "x", "--address",
                "2001:db8::1",
            ],
            ["a", "--html", "b.html", "--pcap", "c.pcap", "--redact", "--no-color", "--ladders", "0", "--all"],
        ])
    func accepted(arguments: [String]) throws { _ = try ExplainCommand.parse(arguments) }

    @Test("MD5 (RFC 1321 A.5) and SHA-256 (FIPS 180-4)")
    func digests() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        }
        let rows: [(String, String, String)] = [
            ("", "d41d8cd98f00b204e9800998ecf8427e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
                "f371bc4a311f2b009eef952dd83ca80e2b60026c8e935592d0f9c308453c813e"
            ),
        ]
        for (text, md5, sha256) in rows {
            #expect(
                hex(RecheckHash.all(.md5, Array(text.utf8))) == md5 && hex(RecheckHash.all(.sha256, Array(text.utf8))) == sha256)
        }
    }

    @Test("a time of day means the capture's first day")
    func times() throws {
        let first = Instant(seconds: 1_700_000_000)
        #expect(FilterTime("22:30:00")?.instant(on: first) == Instant(seconds: 1_700_001_000))
        #expect(FilterTime("2023-11-14 22:30:00")?.instant(on: first) == Instant(seconds: 1_700_001_000))
        #expect(FilterTime("now") == nil)
    }
}
