/// Changes of a SIP message, bytewise and by header field. Anything may come of it, and from anything.
extension Mutation {
    func apply(_ message: [UInt8]) -> [UInt8] {
        var bytes = message
        guard !bytes.isEmpty else { return bytes }
        let place = choice * bytes.count / 256
        switch kind {
        case .flipByte: bytes[place] ^= 1 << UInt8(choice & 7)
        case .dropByte: bytes.remove(at: place)
        case .cutShort: bytes.removeSubrange(place...)
        case .dropLine: edit(&bytes) { lines in lines.remove(at: 1 + choice % max(lines.count - 1, 1)) }
        case .repeatLine: edit(&bytes) { lines in lines.append(lines[1 + choice % max(lines.count - 1, 1)]) }
        case .branch: replace(&bytes, after: "branch=", upTo: ";,\r", with: ["z9hG4bKother", "", "1", "z9hG4bK"])
        case .toTag: editTag(&bytes, of: ["To", "t"])
        case .fromTag: editTag(&bytes, of: ["From", "f"])
        case .callID: set(&bytes, ["Call-ID", "i"], ["other", "", "a b", "x@y"])
        case .cseq: set(&bytes, ["CSeq"], ["1 INVITE", "4294967296 BYE", "0 REGISTER", "999999 ACK", "x"])
        case .expires: set(&bytes, ["Expires"], ["0", "1", "4294967295", "60", "-1"])
        case .contact: set(&bytes, ["Contact", "m"], ["*", "<sip:x@192.0.2.1>", "<sip:x@127.0.0.1:9>;expires=0", "x", ""])
        case .contentLength: set(&bytes, ["Content-Length", "l"], ["0", "1", "99999", "-1", "x"])
        case .maxForwards: set(&bytes, ["Max-Forwards"], ["0", "255", "256", "x"])
        case .method:
            if let space = bytes.firstIndex(of: UInt8(ascii: " ")) {
                bytes.replaceSubrange(..<space, with: Cast.methods[choice % Cast.methods.count].utf8)
            }
        case .longLine: edit(&bytes) { lines in lines.append(Array("X: ".utf8) + Array(repeating: 0x61, count: choice * 80)) }
        case .uri:
            replace(&bytes, after: "sip:", upTo: " >;\r", with: ["", "x", "nobody@203.0.113.10", "%00@h", "alice@203.0.113.10"])
        case .session: replace(&bytes, after: "m=audio ", upTo: "\r", with: ["0 RTP/AVP 0", "9 X 1", "", "40000 RTP/AVP 99"])
        }
        return bytes
    }

    private func pick(_ values: [String]) -> [UInt8] { Array(values[choice % values.count].utf8) }

    /// The lines of the head; the body stays.
    private func edit(_ bytes: inout [UInt8], _ change: (inout [[UInt8]]) -> Void) {
        let end = Self.headEnd(bytes)
        var lines: [[UInt8]] = []
        var start = 0
        for place in 0..<end where bytes[place] == 0x0a {
            lines.append(Array(bytes[start..<place].last == 0x0d ? bytes[start..<(place - 1)] : bytes[start..<place]))
            start = place + 1
        }
        guard lines.count > 1 else { return }
        change(&lines)
        bytes.replaceSubrange(..<end, with: lines.flatMap { $0 + [0x0d, 0x0a] })
    }

    /// Behind the last header field's line end; where there is no empty line, the end.
    private static func headEnd(_ bytes: [UInt8]) -> Int {
        for place in bytes.indices.dropLast(3) where bytes[place..<(place + 4)].elementsEqual([0x0d, 0x0a, 0x0d, 0x0a]) {
            return place + 2
        }
        return bytes.count
    }

    private func set(_ bytes: inout [UInt8], _ names: [String], _ values: [String]) {
        edit(&bytes) { lines in
            let line = Array("\(names[0]): ".utf8) + pick(values)
            if let place = Self.place(names, lines) { lines[place] = line } else { lines.append(line) }
        }
    }

    private static func place(_ names: [String], _ lines: [[UInt8]]) -> Int? {
        lines.firstIndex { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            return names.contains { $0.lowercased() == name }
        }
    }

    private func editTag(_ bytes: inout [UInt8], of names: [String]) {
        edit(&bytes) { lines in
            guard let place = Self.place(names, lines) else { return }
            let tag = Self.find("tag=", in: lines[place])
            switch choice % 3 {
            case 0: if let tag { lines[place].removeSubrange((tag - 5)...) }
            case 1:
                if let tag { lines[place].replaceSubrange(tag..., with: "other".utf8) } else { lines[place] += ";tag=other".utf8 }
            default: lines[place] += ";tag=twice".utf8
            }
        }
    }

    /// Replaces what follows the first `mark`, up to one of the bytes of `ends`.
    private func replace(_ bytes: inout [UInt8], after mark: String, upTo ends: String, with values: [String]) {
        guard let start = Self.find(mark, in: bytes) else { return }
        let end = bytes[start...].firstIndex { ends.utf8.contains($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: pick(values))
    }

    /// Where what follows the first `mark` begins.
    private static func find(_ mark: String, in bytes: [UInt8]) -> Int? {
        let mark = Array(mark.utf8)
        guard bytes.count >= mark.count else { return nil }
        return (0...(bytes.count - mark.count)).first { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }.map {
            $0 + mark.count
        }
    }
}
