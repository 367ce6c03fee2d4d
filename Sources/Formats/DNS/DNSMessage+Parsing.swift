import Base

extension DNSMessage {
    /// Questions and records of one message beyond which it counts as hostile: small records could otherwise name 255 bytes each.
    public static let mostRecords = 512
    /// Pieces of one name: as many as the longest name has labels.
    static let mostPointers = 127

    /// `bytes`: one whole message and nothing else.
    public init(_ bytes: [UInt8]) throws(DNSError) {
        var parser = Parser(bytes)
        id = try parser.uint16()
        let flags = try parser.uint16()
        isResponse = flags & 0x8000 != 0
        opcode = UInt8(flags >> 11 & 15)
        isAuthoritative = flags & 0x0400 != 0
        isTruncated = flags & 0x0200 != 0
        recursionDesired = flags & 0x0100 != 0
        recursionAvailable = flags & 0x0080 != 0
        code = DNSResponseCode(rawValue: UInt8(flags & 15))
        var counts: [Int] = []
        for _ in 0..<4 { counts.append(Int(try parser.uint16())) }
        guard counts.reduce(0, +) <= Self.mostRecords else { throw DNSError(.tooManyRecords, at: 4) }
        for _ in 0..<counts[0] {
            let name = try parser.name()
            let type = DNSRecordType(rawValue: try parser.uint16())
            questions.append(DNSQuestion(name, type, class: try parser.uint16()))
        }
        for _ in 0..<counts[1] { answers.append(try parser.record()) }
        for _ in 0..<counts[2] { authority.append(try parser.record()) }
        for _ in 0..<counts[3] { additional.append(try parser.record()) }
        guard parser.at == bytes.count else { throw DNSError(.trailingBytes, at: parser.at) }
    }

    private struct Parser {
        let bytes: [UInt8]
        var at = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func take(_ count: Int) throws(DNSError) -> Int {
            guard bytes.count - at >= count else { throw DNSError(.endOfInput, at: at) }
            defer { at += count }
            return at
        }

        mutating func uint8() throws(DNSError) -> UInt8 { bytes[try take(1)] }
        mutating func uint16() throws(DNSError) -> UInt16 { bytes.uint16(at: try take(2)) }
        mutating func uint32() throws(DNSError) -> UInt32 { bytes.uint32(at: try take(4)) }

        mutating func text() throws(DNSError) -> [UInt8] {
            let count = Int(try uint8())
            let start = try take(count)
            return Array(bytes[start..<(start + count)])
        }

        /// Every pointer must lead to before the piece it stands in, so the walk always ends; caps keep it short.
        mutating func name() throws(DNSError) -> DNSName {
            var wire: [UInt8] = []
            var place = at
            var pieceStart = at
            var jumps = 0
            while true {
                guard place < bytes.count else { throw DNSError(.endOfInput, at: place) }
                let length = Int(bytes[place])
                switch length >> 6 {
                case 0:
                    guard place + 1 + length <= bytes.count else { throw DNSError(.endOfInput, at: place) }
                    guard wire.count + 1 + length + (length == 0 ? 0 : 1) <= 255 else { throw DNSError(.nameTooLong, at: place) }
                    wire.append(UInt8(length))
                    for byte in bytes[(place + 1)..<(place + 1 + length)] { wire.append(lowerCase(byte)) }
                    place += 1 + length
                    if jumps == 0 { at = place }
                    if length == 0 { return DNSName(checked: wire) }
                case 3:
                    guard place + 2 <= bytes.count else { throw DNSError(.endOfInput, at: place) }
                    let target = Int(bytes.uint16(at: place) & 0x3fff)
                    guard target < pieceStart else { throw DNSError(.badPointer, at: place) }
                    if jumps == 0 { at = place + 2 }
                    jumps += 1
                    guard jumps <= DNSMessage.mostPointers else { throw DNSError(.tooManyPointers, at: place) }
                    place = target
                    pieceStart = target
                default: throw DNSError(.badLabel, at: place)
                }
            }
        }

        mutating func record() throws(DNSError) -> DNSRecord {
            let name = try name()
            let type = DNSRecordType(rawValue: try uint16())
            let recordClass = try uint16()
            let ttl = try uint32()
            let count = Int(try uint16())
            let start = try take(count)
            let end = start + count
            at = start
            let data: DNSRecordData
            switch type {
            case .a:
                guard count == 4 else { throw DNSError(.badData(type), at: start) }
                data = .a(IPv4Address(bits: try uint32()))
            case .aaaa:
                guard count == 16 else { throw DNSError(.badData(type), at: start) }
                let high = UInt64(try uint32()) << 32 | UInt64(try uint32())
                data = .aaaa(IPv6Address(high: high, low: UInt64(try uint32()) << 32 | UInt64(try uint32())))
            case .ns: data = .ns(try self.name())
            case .cname: data = .cname(try self.name())
            case .ptr: data = .ptr(try self.name())
            case .soa:
                var soa = DNSAuthorityRecord(primary: try self.name(), mailbox: try self.name())
                soa.serial = try uint32()
                soa.refresh = try uint32()
                soa.retry = try uint32()
                soa.expire = try uint32()
                soa.minimum = try uint32()
                data = .soa(soa)
            case .srv:
                let (priority, weight, port) = (try uint16(), try uint16(), try uint16())
                data = .srv(DNSServiceRecord(priority: priority, weight: weight, port: port, target: try self.name()))
            case .naptr:
                let (order, preference) = (try uint16(), try uint16())
                let (flags, service, regexp) = (try text(), try text(), try text())
                data = .naptr(
                    DNSNamingRecord(
                        order: order, preference: preference, flags: flags, service: service, regexp: regexp,
                        replacement: try self.name()))
            case .txt:
                var texts: [[UInt8]] = []
                while at < end { texts.append(try text()) }
                data = .txt(texts)
            default:
                let raw = Array(bytes[start..<end])
                at = end
                data = type == .opt ? .opt(raw) : .unknown(type, raw)
            }
            guard at == end else { throw DNSError(.badData(type), at: start) }
            return DNSRecord(name, ttl: ttl, data, class: recordClass)
        }
    }
}
