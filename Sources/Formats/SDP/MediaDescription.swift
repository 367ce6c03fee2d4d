import Base
import RTP

/// The words of an `m=` line (RFC 8866 5.14).
public struct MediaLine: Hashable, Sendable {
    /// `audio`, `video`, `image`, `application`, `text`, `message`.
    public var kind: String
    /// 0: the stream is refused or not wanted (RFC 3264 5.1, 6).
    public var port: UInt16
    /// How many port pairs; 1 unless written after a slash.
    public var portCount: Int
    public var profile: MediaProfile
    /// For RTP the payload types, in order of preference; otherwise whatever the protocol says.
    public var formats: [String]

    public init(kind: String = "audio", port: UInt16, portCount: Int = 1, profile: MediaProfile = .avp, formats: [String]) {
        self.kind = kind
        self.port = port
        self.portCount = portCount
        self.profile = profile
        self.formats = formats
    }

    /// The value of the line.
    public var text: String {
        let count = portCount == 1 ? "" : "/\(portCount)"
        return (["\(kind) \(port)\(count) \(profile)"] + formats).joined(separator: " ")
    }

    init(parsing value: ArraySlice<UInt8>, line: Int, offset: Int) throws(SDPError) {
        let parts = words(value)
        guard parts.count >= 4 else { throw SDPError(.mediaLine, line: line, offset: offset) }
        let (portText, countText) = halves(parts[1], at: UInt8(ascii: "/"))
        guard let port = decimal(portText, most: 65_535) else { throw SDPError(.port, line: line, offset: offset) }
        var count: UInt64 = 1
        if let countText {
            guard let number = decimal(countText, most: 32_767), number > 0 else {
                throw SDPError(.port, line: line, offset: offset)
            }
            count = number
        }
        kind = string(parts[0])
        self.port = UInt16(port)
        portCount = Int(count)
        profile = MediaProfile(string(parts[2]))
        formats = parts[3...].map { string($0) }
    }
}

/// One stream of a description: an `m=` line and the lines that belong to it (RFC 8866 5.14).
public struct MediaDescription: Hashable, Sendable {
    public var line: MediaLine
    public var section: SDPSection
    /// The line as it came, printed again while nothing was changed.
    private var written: SDPLine
    private var writtenAs: MediaLine

    public init(_ line: MediaLine, _ section: SDPSection = SDPSection()) {
        self.line = line
        self.section = section
        written = SDPLine("m", line.text)
        writtenAs = line
    }

    init(_ line: MediaLine, written: SDPLine) {
        self.line = line
        section = SDPSection()
        self.written = written
        writtenAs = line
    }

    /// The `m=` line as it is printed.
    var mediaLine: SDPLine {
        guard line != writtenAs else { return written }
        var changed = SDPLine("m", line.text)
        changed.end = written.end
        return changed
    }

    public var kind: String { line.kind }
    public var port: UInt16 { line.port }
    public var profile: MediaProfile { line.profile }
    /// Port 0 (RFC 3264 6). A bundled stream says port 0 too (RFC 9143), but bundling is never agreed to here.
    public var isRejected: Bool { line.port == 0 }

    /// Its own `c=`; the session's stands in where there is none.
    public var connection: SDPConnection? {
        get { section.first("c").flatMap { SDPConnection($0[...]) } }
        set { section.set("c", newValue?.description) }
    }

    /// Payload types in order of preference; formats that are no number up to 127 are left out, repeated ones too.
    public var payloadTypes: [UInt8] {
        guard profile.isRTP else { return [] }
        var types: [UInt8] = []
        types.reserveCapacity(line.formats.count)
        var seen = PayloadTypes()
        for format in line.formats {
            guard let type = decimal(format.utf8, most: 127).map(UInt8.init), seen.insert(type) else { continue }
            types.append(type)
        }
        return types
    }

    /// What the payload types mean, in order of preference: `a=rtpmap`, or RFC 3551 for static ones. Unmapped dynamic ones are
    /// left out.
    public var formats: [MediaFormat] {
        let types = payloadTypes
        guard !types.isEmpty else { return [] }
        // The first that is written well counts, for a map as for parameters.
        var mapped: [MediaFormat] = []
        var parameters: [(type: UInt8, text: ArraySlice<UInt8>)] = []
        var seen = (maps: PayloadTypes(), parameters: PayloadTypes())
        for line in section.lines {
            if let value = line.attributeValue("rtpmap") {
                guard let format = MediaFormat(rtpmap: value), seen.maps.insert(format.payloadType) else { continue }
                mapped.append(format)
            } else if let value = line.attributeValue("fmtp") {
                let (number, rest) = halves(value, at: UInt8(ascii: " "))
                guard let type = decimal(number, most: 127).map(UInt8.init), seen.parameters.insert(type) else { continue }
                if let rest { parameters.append((type, rest.drop { $0 == 0x20 })) }
            }
        }
        return types.compactMap { type in
            let map = seen.maps.contains(type) ? mapped.first { $0.payloadType == type } : nil
            guard var format = map ?? MediaFormat(staticPayloadType: type) else { return nil }
            format.parameters = parameters.first { $0.type == type }.map { string($0.text) } ?? ""
            return format
        }
    }

    /// Makes the `m=` line, `a=rtpmap` and `a=fmtp` say these formats; other attributes stay.
    public mutating func setFormats(_ formats: [MediaFormat]) {
        line.formats = formats.map { String($0.payloadType) }
        section.remove(["rtpmap", "fmtp"])
        for format in formats {
            section.add("rtpmap", format.rtpmap)
            if !format.parameters.isEmpty { section.add("fmtp", "\(format.payloadType) \(format.parameters)") }
        }
    }

    /// Milliseconds (RFC 8866 6.4); nil: not said, or no number from 1 to 1,000.
    public var packetTime: Int? { milliseconds("ptime") }
    /// Milliseconds (RFC 8866 6.5).
    public var maximumPacketTime: Int? { milliseconds("maxptime") }

    private func milliseconds(_ name: String) -> Int? {
        guard let value = section.values(of: name).first else { return nil }
        // `20.000` occurs.
        let whole = halves(value.drop { $0 == 0x20 }, at: UInt8(ascii: ".")).0
        return decimal(whole, most: 1_000).flatMap { $0 > 0 ? Int($0) : nil }
    }

    /// Its own direction; the session's stands in where there is none, and sendrecv where neither says.
    public var direction: MediaDirection? {
        get { section.direction }
        set { section.direction = newValue }
    }

    /// `a=rtcp` (RFC 3605): nil where absent or malformed.
    public var rtcp: SDPRTCP? { section.values(of: "rtcp").first.flatMap { SDPRTCP($0) } }
    /// RFC 5761.
    public var multiplexesRTCP: Bool { section.has("rtcp-mux") || section.has("rtcp-mux-only") }
    /// `a=crypto` (RFC 4568) in order of preference; malformed ones are left out.
    public var crypto: [SDPCrypto] { section.values(of: "crypto").compactMap { SDPCrypto($0) } }
    /// `a=candidate` (RFC 8839 5.1); those with names instead of addresses are left out.
    public var candidates: [ICECandidate] { section.values(of: "candidate").compactMap { ICECandidate(attribute: $0) } }
    /// RFC 8838 8.2.
    public var endsCandidates: Bool { section.has("end-of-candidates") }
    /// The other side saw that a middlebox had changed the default candidate (RFC 8839 5.4).
    public var hasICEMismatch: Bool { section.has("ice-mismatch") }
    /// `a=mid` (RFC 5888).
    public var identification: String? { section.attribute("mid") }
    /// `a=fingerprint` (RFC 8122).
    public var fingerprint: String? { section.attribute("fingerprint") }
    /// `a=setup` (RFC 4145).
    public var setup: String? { section.attribute("setup") }

    /// `a=remote-candidates` (RFC 8839 5.2): endpoints by component.
    public var remoteCandidates: [Int: Endpoint] {
        var result: [Int: Endpoint] = [:]
        for value in section.values(of: "remote-candidates") {
            let parts = words(value)
            for at in stride(from: 0, to: parts.count - 2, by: 3) {
                guard let component = decimal(parts[at], most: 256), let address = IPAddress(utf8: Array(parts[at + 1])),
                    let port = decimal(parts[at + 2], most: 65_535)
                else { continue }
                result[Int(component)] = Endpoint(address, UInt16(port))
            }
        }
        return result
    }
}

/// `a=rtcp`: where RTCP goes if not to the port after RTP's (RFC 3605).
public struct SDPRTCP: Hashable, Sendable {
    public var port: UInt16
    /// nil: the stream's own.
    public var connection: SDPConnection?

    public init(port: UInt16, connection: SDPConnection? = nil) {
        self.port = port
        self.connection = connection
    }

    init?(_ value: ArraySlice<UInt8>) {
        let parts = words(value)
        guard let first = parts.first, let port = decimal(first, most: 65_535) else { return nil }
        self.port = UInt16(port)
        connection = parts.count >= 4 ? SDPConnection(network: parts[1], family: parts[2], address: parts[3]) : nil
    }

    /// The attribute's value.
    public var text: String { connection.map { "\(port) \($0)" } ?? String(port) }
}

extension SDPSection {
    /// The last direction attribute of the section.
    public var direction: MediaDirection? {
        get {
            for line in lines.reversed() where line.type == UInt8(ascii: "a") {
                if let direction = MediaDirection.allCases.first(where: { isSame(line.value, $0.rawValue.utf8) }) {
                    return direction
                }
            }
            return nil
        }
        set {
            remove(Set(MediaDirection.allCases.map(\.rawValue)))
            if let newValue { add(newValue.rawValue) }
        }
    }
}

extension MediaFormat {
    /// `8 PCMA/8000` or `96 opus/48000/2`; nil if it is malformed.
    init?(rtpmap value: ArraySlice<UInt8>) {
        var rest = value
        guard let number = part(of: &rest, until: UInt8(ascii: " ")), let type = decimal(number, most: 127),
            var name = part(of: &rest, until: UInt8(ascii: " "))
        else { return nil }
        guard let encoding = part(of: &name, until: UInt8(ascii: "/")), let clock = part(of: &name, until: UInt8(ascii: "/")),
            let rate = decimal(clock, most: 10_000_000), rate > 0
        else { return nil }
        let channels = part(of: &name, until: UInt8(ascii: "/")).map { decimal($0, most: 255) ?? 1 } ?? 1
        self.init(payloadType: UInt8(type), encoding: string(encoding), clockRate: Int(rate), channels: max(1, Int(channels)))
    }

    /// The value of `a=rtpmap`.
    public var rtpmap: String { "\(payloadType) \(encoding)/\(clockRate)\(channels == 1 ? "" : "/\(channels)")" }
}
