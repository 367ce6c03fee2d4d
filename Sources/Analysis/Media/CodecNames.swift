import RTP

/// Names of codecs by a small number; 0 is unknown.
struct CodecNames: Sendable {
    private(set) var names: [String] = [""]
    private var numbers: [String: UInt16] = [:]

    mutating func number(_ name: String) -> UInt16 {
        if let known = numbers[name] { return known }
        guard names.count < 1_024 else { return 0 }
        let number = UInt16(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// Clock rate and name of a payload type, by signalling, else by RFC 3551; 0 where neither tells.
    mutating func look(up type: UInt8, in formats: [OfferedMedia.Format]) -> (UInt32, UInt16) {
        if let format = formats.first(where: { $0.payloadType == type }) { return (format.clockRate, number(format.name)) }
        guard let format = MediaFormat(staticPayloadType: type) else { return (0, 0) }
        return (UInt32(format.clockRate), number(format.encoding))
    }
}
