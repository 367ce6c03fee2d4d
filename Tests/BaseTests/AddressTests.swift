import Base
import Testing

@Suite("Addresses and endpoints")
struct AddressTests {
    @Test(
        "IPv4 text: four decimal parts, no leading zeros",
        arguments: [
            ("192.0.2.1", UInt32(0xc000_0201)), ("0.0.0.0", 0), ("255.255.255.255", .max),
            ("1.2.3", nil), ("1.2.3.4.5", nil), ("256.1.1.1", nil), ("01.2.3.4", nil), ("1..2.3", nil), ("", nil),
            ("1.2.3.4 ", nil),
        ] as [(String, UInt32?)])
    func ipv4(text: String, bits: UInt32?) {
        #expect(IPv4Address(text)?.bits == bits)
        if bits != nil { #expect(IPv4Address(text)?.description == text) }
    }

    @Test(
        "RFC 4291 2.2 and RFC 5952: IPv6 text is read in every form and written in the canonical one",
        arguments: [
            ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
            ("FF01::101", "ff01::101"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"), ("::ffff:192.0.2.128", "::ffff:192.0.2.128"),
            ("::ffff:c000:280", "::ffff:192.0.2.128"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            (":1", nil), ("1:2:3:4:5:6:7:8:9", nil), ("1::2::3", nil), ("12345::", nil), ("g::", nil), ("1:2:3:4:5:6:7", nil),
            (":::", nil), ("1:", nil), ("1:2:3:4:5:6:7:1.2.3.4", nil), ("[::1]", nil), ("fe80::1%eth0", nil),
            ("1:2:3:4:5:6:7:8::", nil),
        ] as [(String, String?)])
    func ipv6(text: String, canonical: String?) {
        #expect(IPv6Address(text)?.description == canonical)
        if let canonical { #expect(IPv6Address(canonical) == IPv6Address(text)) }
    }

    @Test(
        "Private: RFC 1918, 6598, link-local, loopback, unique local",
        arguments: [
            ("10.1.2.3", true), ("172.16.0.1", true), ("172.32.0.1", false), ("192.168.1.10", true), ("100.64.0.1", true),
            ("100.128.0.1", false), ("169.254.1.1", true), ("127.0.0.1", true), ("203.0.113.2", false), ("fe80::1", true),
            ("fd00::1", true), ("2001:db8::1", false), ("::1", true), ("::ffff:10.0.0.1", true),
        ])
    func privateAddresses(text: String, isPrivate: Bool) throws {
        #expect(try #require(IPAddress(text)).isPrivate == isPrivate)
    }

    @Test("Endpoints print and parse, IPv6 in brackets")
    func endpoints() throws {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5061"] {
            #expect(try #require(Endpoint(text)).description == text)
        }
        for text in ["192.0.2.1", "2001:db8::1:5061", "192.0.2.1:65536", "[192.0.2.1]:5060", ":5060", "host:5060"] {
            #expect(Endpoint(text) == nil)
        }
    }

    @Test(
        "Prefixes contain what shares their first bits",
        arguments: [
            ("192.168.1.0/24", "192.168.1.77", true), ("192.168.1.0/24", "192.168.2.1", false), ("0.0.0.0/0", "8.8.8.8", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::/96", "2001:db8::7", true),
            ("2001:db8::7/128", "2001:db8::8", false), ("0.0.0.0/0", "::1", false), ("10.0.0.1", "10.0.0.1", true),
        ])
    func prefixes(prefix: String, address: String, inside: Bool) throws {
        #expect(try #require(IPPrefix(prefix)).contains(try #require(IPAddress(address))) == inside)
    }

    @Test(
        "Prefix text outside its family's range is refused",
        arguments: ["10.0.0.0/33", "::/129", "10.0.0.0/-1", "x/8", "1.2.3.4/8/9"])
    func badPrefixes(text: String) { #expect(IPPrefix(text) == nil) }
}
