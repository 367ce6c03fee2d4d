import Base
import Redaction
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("The words of our own sentences")
struct SentenceWordsTests {
    /// String literals of a source file, interpolations left out.
    static func literals(_ source: [UInt8]) -> [String] {
        var result: [String] = []
        var at = 0
        func starts(_ text: StaticString) -> Bool {
            let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            return source[at...].starts(with: wanted)
        }
        func literal() {
            let isLong = starts("\"\"\"")
            at += isLong ? 3 : 1
            var text: [UInt8] = []
            while at < source.count, !(isLong ? starts("\"\"\"") : source[at] == UInt8(ascii: "\"")) {
                if starts("\\(") {
                    at += 2
                    var depth = 1
                    while at < source.count, depth > 0 {
                        if source[at] == UInt8(ascii: "\"") {
                            literal()
                            continue
                        }
                        depth += source[at] == UInt8(ascii: "(") ? 1 : source[at] == UInt8(ascii: ")") ? -1 : 0
                        at += 1
                    }
                    text.append(0x20)
                } else if source[at] == UInt8(ascii: "\\") {
                    text.append(0x20)
                    at += 2
                } else {
                    text.append(source[at])
                    at += 1
                }
            }
            at += isLong ? 3 : 1
            result.append(String(decoding: text, as: UTF8.self))
        }
        while at < source.count {
            if starts("//") {
                while at < source.count, source[at] != 0x0a { at += 1 }
            } else if source[at] == UInt8(ascii: "\"") {
                literal()
            } else {
                at += 1
            }
        }
        return result
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    static func sources(below folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var result: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".swift") { result.append("\(folder)/\(name)") }
            if !name.contains(".") { result += sources(below: "\(folder)/\(name)") }
        }
        return result
    }

    @Test(
        "Each word that a finding, a remedy or a device's name may say stays readable: new ones go into Harmless+Sentences.swift")
    func words() {
        let folder = "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")
        let files = Self.sources(below: "/\(folder)/Sources/Analysis")
        #expect(files.count > 50)
        var redactor = Redactor(entropy: Entropy(labSeed: 3))
        var unknown: Set<String> = []
        for file in files {
            for literal in Self.literals(Self.read(file)) {
                for word in literal.split(whereSeparator: { !$0.isASCII || !($0.isLetter || $0.isNumber) })
                where !word.allSatisfy(\.isNumber) {
                    if redactor.redact(sentence: String(word)) != word { unknown.insert(word.lowercased()) }
                }
            }
        }
        #expect(unknown.isEmpty, "unknown: \(unknown.sorted().joined(separator: " "))")
    }

    @Test("A word that is not among them becomes a stand-in, whatever stands around it")
    func foreign() {
        var redactor = Redactor(entropy: Entropy(labSeed: 3))
        for (text, gone) in [
            ("The call of Zq7secret failed.", "Zq7secret"), ("answered 403 \"zq7secret\".", "zq7secret"),
            ("phone@pbx came", "phone@pbx"),
            ("sip:server@phone failed", "server@phone"), ("realm \"phone\" failed", "\"phone\""),
            ("from pbx.server.com on", "pbx.server"), ("number 030123456 failed", "030123456"),
            ("J\u{fc}rgen called", "\u{fc}"),
        ] {
            let stand = redactor.redact(sentence: text)
            #expect(!stand.contains(gone) && stand.utf8.count == text.utf8.count, "\(stand)")
        }
    }
}
