import Base

/// Packets written as text: offsets and octets in hexadecimal, as Wireshark's "plain text" export, text2pcap, xxd, hexdump and od have them.
///
/// A line that starts at offset 0 begins a packet. Between packets a line may bear a time: a date, a time of day, or Wireshark's number and seconds.
public struct HexDumpDecoder: ~Copyable {
    public var notes: CaptureNotes { frames.notes }
    /// Packets before which no time stood: a millisecond passes between two.
    public private(set) var timeless: UInt64 = 0
    /// A time stood before a packet.
    public private(set) var hasTimes = false

    /// Octets of a packet at most.
    private static let mostOctets = 65_599
    private static let mostLine = 4_096

    private let file: Int
    private var frames = FrameDecoder()
    private var clock = LogClock()
    /// The line that is not complete.
    private var line: [UInt8] = []
    private var packet: [UInt8] = []
    private var lastLine: [UInt8] = []
    /// `*` stands for lines like the last.
    private var isSqueezed = false
    /// The time on the last line between packets, and that of the packet in hand.
    private var said: Instant?
    private var own: Instant?
    private var time = Instant(nanoseconds: 0)

    public init(file: Int = 0) { self.file = file }

    /// Empties the batch for the next piece.
    public func begin(_ batch: inout PayloadBatch) { batch.restart(file: file) }

    public mutating func read(_ piece: UnsafeRawBufferPointer, into batch: inout PayloadBatch) {
        for byte in piece {
            if byte == 0x0a {
                take(&batch)
                line.removeAll(keepingCapacity: true)
            } else if line.count < Self.mostLine {
                line.append(byte)
            }
        }
        frames.settle()
    }

    public mutating func finish(_ batch: inout PayloadBatch) {
        if !line.isEmpty { take(&batch) }
        flush(&batch)
        frames.finish(&batch)
    }

    // MARK: Lines

    private mutating func take(_ batch: inout PayloadBatch) {
        if line.first == 0x2a {
            isSqueezed = true
            return
        }
        guard let row = Row(line) else {
            if let time = moment() { said = time }
            return
        }
        defer { isSqueezed = false }
        if row.offset == 0 {
            guard !row.octets.isEmpty else { return }
            flush(&batch)
            own = said
            said = nil
        } else if row.offset != packet.count, row.octal != packet.count {
            if isSqueezed, !lastLine.isEmpty, row.offset > packet.count, row.offset <= Self.mostOctets {
                while packet.count + lastLine.count <= row.offset { packet += lastLine }
            } else if row.offset < packet.count, row.offset + lastLine.count > packet.count {
                // What looked like octets was the text beside them.
                packet.removeLast(packet.count - row.offset)
            }
            guard row.offset == packet.count else { return }
        }
        guard packet.count + row.octets.count <= Self.mostOctets else { return }
        packet += row.octets
        lastLine = row.octets
    }

    private mutating func flush(_ batch: inout PayloadBatch) {
        guard !packet.isEmpty else { return }
        if let own {
            time = own
            hasTimes = true
        } else {
            timeless &+= 1
            time = Instant(nanoseconds: CaptureTime.bounded(time.nanoseconds) + 1_000_000)
        }
        let (link, isSwapped) = Self.known(packet, isWhole: true)
        if isSwapped { packet = packet.indices.map { packet[$0 ^ 1] } }
        let wire = packet.count
        packet.withUnsafeBytes {
            frames.append($0, wire: wire, at: time, link: link, linkType: link?.rawValue ?? FrameDecoder.netMonRemark, to: &batch)
        }
        packet.removeAll(keepingCapacity: true)
        lastLine = []
    }

    private mutating func moment() -> Instant? {
        var at = 0
        func skip() { while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 } }
        skip()
        let start = at
        if let first = line.number(&at), first >= 0, at < line.count, line[at] == 0x20 { skip() } else { at = start }
        // Seconds since the first packet: fewer than any since 1970.
        let place = at
        if let seconds = line.number(&at), seconds < 100_000_000, at < line.count, line[at] == 0x2e {
            var (fraction, scale): (Int64, Int64) = (0, 1_000_000_000)
            at += 1
            while at < line.count, (0x30...0x39).contains(line[at]), scale > 1 {
                scale /= 10
                fraction += Int64(line[at] - 0x30) * scale
                at += 1
            }
            return Instant(nanoseconds: Int64(seconds) * 1_000_000_000 + fraction)
        }
        at = place
        return clock.time(line, &at)?.instant
    }

    // MARK: What the octets are

    /// A line of a dump.
    struct Row {
        /// As hexadecimal, and as octal where it may be that.
        var offset: Int
        var octal: Int?
        var octets: [UInt8] = []

        init?(_ line: [UInt8]) {
            var at = 0
            while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
            let start = at
            while at < line.count, at - start < 9, line[at].hexValue != nil { at += 1 }
            guard (3...8).contains(at - start) else { return nil }
            let digits = line[start..<at]
            offset = digits.reduce(0) { $0 << 4 | Int($1.hexValue ?? 0) }
            if digits.allSatisfy({ $0 < 0x38 }) { octal = digits.reduce(0) { $0 << 3 | Int($1 - 0x30) } }
            if at < line.count, line[at] == 0x3a { at += 1 }
            guard at < line.count else { return }
            guard line[at] == 0x20 || line[at] == 0x09 || line[at] == 0x0d else { return nil }
            while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
            var width = 0
            while at < line.count, octets.count < 32 {
                var end = at
                while end < line.count, line[end].hexValue != nil { end += 1 }
                let size = end - at
                guard size == 2 || size == 4 || size == 8, width == 0 || size <= width,
                    end == line.count || line[end] == 0x20 || line[end] == 0x0d || line[end] == 0x2d
                else { break }
                if width == 0 { width = size }
                for place in stride(from: at, to: end, by: 2) {
                    octets.append((line[place].hexValue ?? 0) << 4 | (line[place + 1].hexValue ?? 0))
                }
                at = end
                var gap = 0
                while at < line.count, line[at] == 0x20 || line[at] == 0x2d {
                    at += 1
                    gap += 1
                }
                // The text beside stands apart; so does the second half.
                if gap > 1, octets.count != 8 { break }
            }
            if octets.isEmpty, at < line.count, line[at] != 0x0d { return nil }
        }
    }

    /// The same, also where od or hexdump swapped each two octets, as they do where nobody tells them not to.
    private static func known(_ packet: [UInt8], isWhole: Bool) -> (LinkType?, isSwapped: Bool) {
        if let link = link(packet, isWhole: isWhole) { return (link, false) }
        guard packet.count & 1 == 0, let link = link(packet.indices.map { packet[$0 ^ 1] }, isWhole: isWhole) else {
            return (nil, false)
        }
        return (link, true)
    }

    /// IP protocols, and headers of IPv6, that are met.
    private static let transports: Set<UInt8> = [0, 1, 2, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 89, 103, 112, 132]

    /// What the octets of a packet begin with; nil: nothing that leads to IP. `isWhole`: no more of it follow.
    static func link(_ packet: [UInt8], isWhole: Bool) -> LinkType? {
        func half(_ at: Int) -> Int { at + 2 <= packet.count ? Int(packet[at]) << 8 | Int(packet[at + 1]) : -1 }
        func isIP(_ at: Int) -> Bool {
            guard at + 20 <= packet.count else { return false }
            let room = packet.count - at
            if packet[at] >> 4 == 4 {
                return packet[at] & 15 >= 5 && half(at + 2) >= 20 && (!isWhole || half(at + 2) <= room)
                    && packet[at + 6] & 0x80 == 0
                    && transports.contains(packet[at + 9])
            }
            return packet[at] >> 4 == 6 && (!isWhole || half(at + 4) + 40 <= room) && transports.contains(packet[at + 6])
        }
        if isIP(0), !isWhole || (packet[0] >> 4 == 4 ? half(2) : half(4) + 40) == packet.count { return .raw }
        switch half(12) {
        case 0x0800, 0x86dd: if isIP(14) { return .ethernet }
        case 0x8100, 0x88a8, 0x8864, 0x8847: return .ethernet
        default: break
        }
        if half(14) == 0x0800 || half(14) == 0x86dd, half(0) <= 4, isIP(16) { return .linuxSLL }
        if half(0) == 0x0800 || half(0) == 0x86dd, isIP(20) { return .linuxSLL2 }
        if packet.count > 4, packet[..<4].count(where: { $0 == 0 }) == 3, isIP(4) { return .null }
        return isIP(0) ? .raw : nil
    }

    /// A text that is a dump of IP packets: its first packet is one, and most lines are of the dump, or Wireshark's words surround it.
    static func isDump(_ head: [UInt8]) -> Bool {
        // A dissection in words tells more than its octets do: it is read as a log.
        guard !head.begins("Frame ") else { return false }
        var packet: [UInt8] = []
        var (rows, others) = (0, 0)
        var isFound = false
        for line in head.split(separator: 0x0a, omittingEmptySubsequences: true) {
            guard let row = Row(Array(line)), !row.octets.isEmpty else {
                others += line.count > 1 ? 1 : 0
                continue
            }
            rows += 1
            if row.offset == 0 {
                isFound = isFound || packet.count >= 20 && known(packet, isWhole: true).0 != nil
                packet = row.octets
            } else if row.offset == packet.count || row.octal == packet.count, !packet.isEmpty {
                packet += row.octets
            }
        }
        guard isFound || (packet.count >= 20 && known(packet, isWhole: false).0 != nil) else { return false }
        return rows * 2 >= others || head.begins("No. ")
    }
}

extension UInt8 {
    /// Of a hexadecimal digit.
    fileprivate var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}
