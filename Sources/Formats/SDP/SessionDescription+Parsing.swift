import Base
import RTP

extension SessionDescription {
    /// Reads one whole body of type `application/sdp`.
    ///
    /// Throws for what leaves media in doubt (ports, addresses, cut lines); what merely breaks a rule is listed in `flaws`.
    public init(parsing bytes: [UInt8]) throws(SDPError) {
        guard bytes.count <= SDPLimits.bytes else { throw SDPError(.tooLarge, line: 1, offset: SDPLimits.bytes) }
        var reader = LineReader(bytes)
        var session = SDPSection()
        var media: [MediaDescription] = []
        var flaws: [SDPFlaw] = []
        var highest = 0
        while let (line, offset) = try reader.next() {
            let number = reader.line
            if number == 1 {
                guard line.type == UInt8(ascii: "v"), line.value == [0x30] else { throw SDPError(.version, line: 1, offset: 0) }
            }
            switch line.end {
            case .crlf: break
            case .lf: if flaws.last?.reason != .lineFeedOnly { flaws.append(SDPFlaw(.lineFeedOnly, line: number)) }
            case .none: flaws.append(SDPFlaw(.lastLineOpen, line: number))
            }
            if line.type == UInt8(ascii: "m") {
                guard media.count < SDPLimits.media else { throw SDPError(.tooManyMedia, line: number, offset: offset) }
                media.append(
                    MediaDescription(try MediaLine(parsing: line.value[...], line: number, offset: offset), written: line))
                Self.judge(media[media.count - 1], line: number, &flaws)
                highest = 0
                continue
            }
            try Self.check(line, number: number, offset: offset, inMedia: !media.isEmpty, &flaws)
            let earlier = media.last?.section ?? session
            if "vosct".utf8.contains(line.type), !(line.type == UInt8(ascii: "t") || line.type == UInt8(ascii: "c")),
                earlier.lines.contains(where: { $0.type == line.type })
            {
                flaws.append(SDPFlaw(.repeated, line: number))
            }
            // Times come in groups of t=, r= and z=; and k= among attributes is old usage.
            let rank = "trz".utf8.contains(line.type) ? SDPLine.order.firstIndex(of: UInt8(ascii: "t")) ?? 0 : line.rank
            if rank < highest { flaws.append(SDPFlaw(.order, line: number)) }
            highest = max(highest, rank)
            if media.isEmpty { session.lines.append(line) } else { media[media.count - 1].section.lines.append(line) }
        }
        guard !session.lines.isEmpty else { throw SDPError(.empty, line: 1, offset: 0) }
        self.init(session: session, media: media)
        trailer = Array(bytes[reader.end...])
        if !trailer.isEmpty { flaws.append(SDPFlaw(.blankLines, line: reader.line + 1)) }
        let expected: [(Character, SDPFlaw.Reason)] = [("o", .originMissing), ("s", .nameMissing), ("t", .timeMissing)]
        for (letter, reason) in expected where session.first(letter) == nil { flaws.append(SDPFlaw(reason, line: 0)) }
        for index in media.indices {
            if !media[index].isRejected, connection(of: index) == nil { flaws.append(SDPFlaw(.connectionMissing, line: 0)) }
            if media[index].payloadTypes.count > media[index].formats.count { flaws.append(SDPFlaw(.mappingMissing, line: 0)) }
        }
        self.flaws = flaws
    }

    /// From text: for tests and tables.
    public init(parsing text: String) throws(SDPError) { try self.init(parsing: Array(text.utf8)) }

    private static func judge(_ media: MediaDescription, line: Int, _ flaws: inout [SDPFlaw]) {
        guard media.profile.isRTP else { return }
        if media.line.formats.contains(where: { decimal($0.utf8, most: 127) == nil }) {
            flaws.append(SDPFlaw(.payloadType, line: line))
        }
    }

    private static func check(
        _ line: SDPLine, number: Int, offset: Int, inMedia: Bool, _ flaws: inout [SDPFlaw]
    ) throws(SDPError) {
        switch Character(Unicode.Scalar(line.type)) {
        case "v": guard number == 1 else { return flaws.append(SDPFlaw(.repeated, line: number)) }
        case "o":
            guard let origin = SDPOrigin(line.value[...]) else { throw SDPError(.origin, line: number, offset: offset) }
            if origin.user.contains(" ") { flaws.append(SDPFlaw(.originUser, line: number)) }
            if origin.versionNumber == nil || decimal(origin.session.utf8, most: .max) == nil {
                flaws.append(SDPFlaw(.originNumber, line: number))
            }
            if line.value.contains(UInt8(ascii: "[")) { flaws.append(SDPFlaw(.bracketedAddress, line: number)) }
        case "c":
            guard words(line.value[...]).count == 3 else { throw SDPError(.connection, line: number, offset: offset) }
            guard SDPConnection(line.value[...]) != nil else { throw SDPError(.address, line: number, offset: offset) }
            if line.value.contains(UInt8(ascii: "[")) { flaws.append(SDPFlaw(.bracketedAddress, line: number)) }
        case "s", "i", "b", "k", "a": break
        case "u", "e", "p", "t", "r", "z": if inMedia { flaws.append(SDPFlaw(.order, line: number)) }
        default: flaws.append(SDPFlaw(.unknownType, line: number))
        }
    }
}

/// Cuts a description into lines; both CRLF and LF end one (RFC 8866 5).
private struct LineReader {
    let bytes: [UInt8]
    /// Of the line read last, from 1.
    private(set) var line = 0
    private var at = 0
    /// Where the lines end: only line ends follow.
    let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var end = bytes.count
        while end > 0, bytes[end - 1] == 10 || bytes[end - 1] == 13 { end -= 1 }
        // The last line keeps its own end.
        if end < bytes.count, bytes[end] == 13 {
            if end + 1 < bytes.count, bytes[end + 1] == 10 { end += 2 }
        } else if end < bytes.count {
            end += 1
        }
        self.end = end
    }

    mutating func next() throws(SDPError) -> (SDPLine, Int)? {
        guard at < end else { return nil }
        line += 1
        guard line <= SDPLimits.lines else { throw SDPError(.tooManyLines, line: line, offset: at) }
        let start = at
        var stop = start
        while stop < end, bytes[stop] != 10, bytes[stop] != 13 {
            if bytes[stop] == 0 { throw SDPError(.nul, line: line, offset: stop) }
            stop += 1
        }
        var lineEnd = SDPLine.End.none
        at = stop
        if stop < end {
            if bytes[stop] == 10 {
                lineEnd = .lf
                at = stop + 1
            } else {
                guard stop + 1 < end, bytes[stop + 1] == 10 else { throw SDPError(.bareCarriageReturn, line: line, offset: stop) }
                lineEnd = .crlf
                at = stop + 2
            }
        }
        let isLetter = stop > start && (bytes[start] | 0x20) >= 0x61 && (bytes[start] | 0x20) <= 0x7a
        guard stop - start >= 2, isLetter, bytes[start + 1] == UInt8(ascii: "=") else {
            throw SDPError(.notALine, line: line, offset: start)
        }
        return (SDPLine(type: bytes[start], value: Array(bytes[(start + 2)..<stop]), end: lineEnd), start)
    }
}
