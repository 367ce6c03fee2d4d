import Base

/// One HEPv3 packet: what a SIP proxy's capture agent tells about a message it saw (Homer Encapsulation Protocol, version 3).
///
/// `HEP3`, a 16-bit length of the whole, then chunks {vendor, type, length with its own six octets, data}, big-endian. Chunks of other
/// vendors and unknown types are skipped.
public struct HEPPacket: Hashable, Sendable {
    /// What the payload is (chunk 0x0b).
    public enum Kind: Hashable, Sendable {
        case sip
        case rtp
        /// RTCP as JSON: statistics that an agent already digested.
        case rtcpJSON
        case rtcp
        case log
        case other(UInt8)

        init(_ number: UInt8) {
            switch number {
            case 1: self = .sip
            case 4: self = .rtp
            case 5: self = .rtcpJSON
            case 8: self = .rtcp
            case 100: self = .log
            default: self = .other(number)
            }
        }
    }

    public var source: Endpoint
    public var destination: Endpoint
    /// IP protocol number: 17, 6, 132.
    public var ipProtocol: UInt8
    /// When the agent saw it.
    public var time: Instant
    public var kind: Kind
    /// 0 where the agent gives none.
    public var agent: UInt32 = 0
    /// Octets of the payload within the packet; empty when there is none.
    public var payload: Range<Int>
    /// The payload is compressed (chunk 0x10): not read here.
    public var isCompressed = false
    /// What the agent says it belongs to, most often a Call-ID; nil when it says nothing.
    public var correlation: String?

    /// Octets of the head: magic and length.
    static let head = 6

    /// How long the packet that begins here says it is; nil with fewer than six octets, or when it is none.
    public static func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= head, bytes[0] == 0x48, bytes[1] == 0x45, bytes[2] == 0x50, bytes[3] == 0x33 else { return nil }
        return Int(bytes[4]) << 8 | Int(bytes[5])
    }

    public init(_ bytes: [UInt8]) throws(CaptureError) {
        var failure: CaptureError?
        let parsed = bytes.withUnsafeBytes { buffer -> HEPPacket? in
            do throws(CaptureError) { return try HEPPacket(buffer) } catch {
                failure = error
                return nil
            }
        }
        guard let parsed else { throw failure ?? CaptureError(.hep, at: 0) }
        self = parsed
    }

    /// The packet must fill `bytes`; octets behind its length are left alone.
    public init(_ bytes: UnsafeRawBufferPointer) throws(CaptureError) {
        guard let total = Self.length(bytes) else { throw CaptureError(.hep, at: 0) }
        guard total >= Self.head, total <= bytes.count else { throw CaptureError(.hep, at: 4) }
        var (from, to): (IPAddress?, IPAddress?)
        var (sourcePort, destinationPort): (UInt16, UInt16) = (0, 0)
        var (seconds, micros): (UInt32, UInt32) = (0, 0)
        ipProtocol = 17
        kind = .other(0)
        payload = total..<total
        var at = Self.head
        while at < total {
            guard at + 6 <= total else { throw CaptureError(.hep, at: at) }
            let vendor = bytes.half(at)
            let type = bytes.half(at + 2)
            let length = Int(bytes.half(at + 4))
            guard length >= 6, at + length <= total else { throw CaptureError(.hep, at: at + 4) }
            let data = UnsafeRawBufferPointer(rebasing: bytes[(at + 6)..<(at + length)])
            if vendor == 0 {
                switch type {
                case 2: ipProtocol = data.first ?? 17
                case 3: from = Self.address4(data) ?? from
                case 4: to = Self.address4(data) ?? to
                case 5: from = Self.address6(data) ?? from
                case 6: to = Self.address6(data) ?? to
                case 7: sourcePort = data.count == 2 ? data.half(0) : 0
                case 8: destinationPort = data.count == 2 ? data.half(0) : 0
                case 9: seconds = data.count == 4 ? data.word(0) : 0
                case 10: micros = data.count == 4 ? data.word(0) : 0
                case 11: kind = data.first.map { Kind($0) } ?? kind
                case 12: agent = data.count == 4 ? data.word(0) : 0
                case 15, 16:
                    payload = (at + 6)..<(at + length)
                    isCompressed = type == 16
                case 17: correlation = String(decoding: data.prefix(256), as: UTF8.self)
                default: break
                }
            }
            at += length
        }
        guard let from, let to else { throw CaptureError(.hep, at: total) }
        source = Endpoint(from, sourcePort)
        destination = Endpoint(to, destinationPort)
        time = Instant(nanoseconds: Int64(seconds) * 1_000_000_000 + Int64(min(micros, 999_999)) * 1_000)
    }

    /// The packet's octets: what an agent would send; nil where they would be more than the 16-bit length can tell, 65,535.
    public static func bytes(
        _ payload: [UInt8], from source: Endpoint, to destination: Endpoint, ipProtocol: UInt8 = 17, at time: Instant,
        kind: UInt8 = 1,
        agent: UInt32 = 0, password: String? = nil, correlation: String? = nil
    ) -> [UInt8]? {
        var chunks: [UInt8] = []
        let texts = (correlation?.utf8.count ?? 0, password?.utf8.count ?? 0)
        guard payload.count <= Int(UInt16.max), max(texts.0, texts.1) <= Int(UInt16.max) else { return nil }
        func chunk(_ type: UInt16, _ data: [UInt8]) {
            chunks.append(bigEndian: UInt16(0))
            chunks.append(bigEndian: type)
            chunks.append(bigEndian: UInt16(truncatingIfNeeded: data.count + 6))
            chunks += data
        }
        func number(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
            (0..<(value.bitWidth / 8)).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        func address(_ address: IPAddress, _ four: UInt16, _ six: UInt16) {
            switch address {
            case .v4(let v4): chunk(four, number(v4.bits))
            case .v6(let v6): chunk(six, v6.octets)
            }
        }
        chunk(1, [source.address.isIPv6 ? 10 : 2])
        chunk(2, [ipProtocol])
        address(source.address, 3, 5)
        address(destination.address, 4, 6)
        chunk(7, number(source.port))
        chunk(8, number(destination.port))
        let seconds = time.unixSeconds
        chunk(9, number(UInt32(clamping: seconds)))
        chunk(10, number(UInt32(clamping: (time.nanoseconds - seconds * 1_000_000_000) / 1_000)))
        chunk(11, [kind])
        chunk(12, number(agent))
        if let password { chunk(14, Array(password.utf8)) }
        if let correlation { chunk(17, Array(correlation.utf8)) }
        chunk(15, payload)
        // No chunk is longer than the whole.
        guard let length = UInt16(exactly: chunks.count + head) else { return nil }
        return [0x48, 0x45, 0x50, 0x33] + number(length) + chunks
    }

    private static func address4(_ data: UnsafeRawBufferPointer) -> IPAddress? {
        data.count == 4 ? .v4(IPv4Address(bits: data.word(0))) : nil
    }

    private static func address6(_ data: UnsafeRawBufferPointer) -> IPAddress? {
        guard data.count == 16 else { return nil }
        return PackedAddress(
            high: UInt64(data.word(0)) << 32 | UInt64(data.word(4)), low: UInt64(data.word(8)) << 32 | UInt64(data.word(12))
        )
        .address
    }
}

extension UnsafeRawBufferPointer {
    /// Big-endian fields; traps outside the buffer.
    @inline(__always)
    func half(_ at: Int) -> UInt16 { UInt16(self[at]) << 8 | UInt16(self[at + 1]) }

    @inline(__always)
    func word(_ at: Int) -> UInt32 { UInt32(half(at)) << 16 | UInt32(half(at + 2)) }
}
