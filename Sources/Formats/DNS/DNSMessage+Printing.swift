import Base

extension DNSMessage {
    /// The message as bytes. Names are compressed where RFC 1035 knew the type; SRV and NAPTR stay plain (RFC 2782, RFC 3597 4).
    ///
    /// Whole records that do not fit into `limit` bytes are left out, last first, and the message is marked truncated; OPT stays.
    public func bytes(limit: Int = 65_535) -> [UInt8] {
        var printer = Printer()
        var counts = [questions.count, 0, 0, 0]
        var isTruncated = isTruncated
        let extensions = additional.filter { $0.type == .opt }
        // An OPT record takes 11 bytes and its options.
        let reserved = extensions.reduce(0) { sum, record in
            if case .opt(let options) = record.data { sum + 11 + options.count } else { sum }
        }
        printer.bytes = Array(repeating: 0, count: 12)
        for question in questions {
            printer.add(question.name, compressing: true)
            printer.bytes.append(bigEndian: question.type.rawValue)
            printer.bytes.append(bigEndian: question.questionClass)
        }
        let sections = [answers, authority, additional.filter { $0.type != .opt }]
        filling: for (index, section) in sections.enumerated() {
            for record in section {
                let mark = printer.bytes.count
                printer.add(record)
                if printer.bytes.count + reserved > limit {
                    printer.cut(to: mark)
                    // What is left out of the additional section alone is no loss (RFC 2181 9).
                    if index < 2 { isTruncated = true }
                    break filling
                }
                counts[index + 1] += 1
            }
        }
        for record in extensions {
            printer.add(record)
            counts[3] += 1
        }
        var flags = UInt16(isResponse ? 0x8000 : 0) | UInt16(opcode & 15) << 11 | UInt16(code.rawValue & 15)
        if isAuthoritative { flags |= 0x0400 }
        if isTruncated { flags |= 0x0200 }
        if recursionDesired { flags |= 0x0100 }
        if recursionAvailable { flags |= 0x0080 }
        printer.bytes.replace(at: 0, bigEndian: id)
        printer.bytes.replace(at: 2, bigEndian: flags)
        for (index, count) in counts.enumerated() { printer.bytes.replace(at: 4 + 2 * index, bigEndian: UInt16(clamping: count)) }
        return printer.bytes
    }

    private struct Printer {
        var bytes: [UInt8] = []
        private var places: [DNSName: Int] = [:]

        mutating func add(_ name: DNSName, compressing: Bool) {
            var rest = name
            while let parent = rest.parent {
                if compressing, let place = places[rest] {
                    bytes.append(bigEndian: 0xc000 | UInt16(place))
                    return
                }
                if bytes.count < 0x4000, places[rest] == nil { places[rest] = bytes.count }
                bytes.append(contentsOf: rest.wire[...Int(rest.wire[0])])
                rest = parent
            }
            bytes.append(0)
        }

        mutating func cut(to mark: Int) {
            bytes.removeLast(bytes.count - mark)
            places = places.filter { $0.value < mark }
        }

        mutating func add(text: [UInt8]) {
            bytes.append(UInt8(min(255, text.count)))
            bytes.append(contentsOf: text.prefix(255))
        }

        mutating func add(_ record: DNSRecord) {
            add(record.name, compressing: true)
            bytes.append(bigEndian: record.type.rawValue)
            bytes.append(bigEndian: record.recordClass)
            bytes.append(bigEndian: record.ttl)
            let lengthAt = bytes.count
            bytes.append(bigEndian: 0 as UInt16)
            switch record.data {
            case .a(let address): bytes.append(.v4(address))
            case .aaaa(let address): bytes.append(.v6(address))
            case .ns(let name), .cname(let name), .ptr(let name): add(name, compressing: true)
            case .soa(let soa):
                add(soa.primary, compressing: true)
                add(soa.mailbox, compressing: true)
                for word in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] { bytes.append(bigEndian: word) }
            case .srv(let srv):
                for word in [srv.priority, srv.weight, srv.port] { bytes.append(bigEndian: word) }
                add(srv.target, compressing: false)
            case .naptr(let naptr):
                bytes.append(bigEndian: naptr.order)
                bytes.append(bigEndian: naptr.preference)
                add(text: naptr.flags)
                add(text: naptr.service)
                add(text: naptr.regexp)
                add(naptr.replacement, compressing: false)
            case .txt(let texts): for text in texts { add(text: text) }
            case .opt(let raw), .unknown(_, let raw): bytes.append(contentsOf: raw)
            }
            bytes.replace(at: lengthAt, bigEndian: UInt16(clamping: bytes.count - lengthAt - 2))
        }
    }
}
