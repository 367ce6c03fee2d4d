import Base
import SIP

/// A domain of ours as one phone writes it.
package struct DialledDomain: Hashable, Sendable {
    /// As it stands in addresses of record.
    private var canonical = ""
    /// Host and port; empty: as `canonical`.
    private var written = SIPText()

    package init() {}

    /// The domain of the phone's address of record.
    package init(_ aor: AddressOfRecord, written: SIPText) {
        canonical = aor.domain
        self.written = written
    }

    /// `sip:user@domain`, escaped where it must be (RFC 3261 25.1). Whose domain is another is shown by that.
    package func uri(_ aor: AddressOfRecord) -> [UInt8] {
        let domain = aor.domain
        var bytes = Array("sip:".utf8)
        for byte in aor.bytes.dropLast(domain.utf8.count + 1) {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: bytes.append(byte)
            // mark and user-unreserved.
            case _ where "-_.!~*'()&=+$,;?/".utf8.contains(byte): bytes.append(byte)
            default:
                bytes.append(0x25)
                for nibble in [byte >> 4, byte & 15] {
                    let digit: UInt8 = nibble < 10 ? 0x30 : 0x37
                    bytes.append(digit + nibble)
                }
            }
        }
        bytes.append(0x40)
        if domain == canonical, !written.isEmpty { bytes.append(written) } else { bytes.append(contentsOf: domain.utf8) }
        return bytes
    }

    package func uriText(_ aor: AddressOfRecord) -> String { String(decoding: uri(aor), as: UTF8.self) }
}
