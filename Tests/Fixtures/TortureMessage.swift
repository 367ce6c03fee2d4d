import Foundation

/// A message with one of the faults or oddities that RFC 4475 and RFC 5118 describe, and what three elements make of it. The messages are
/// this project's own; the section names the RFC's torture.
public struct TortureMessage: Sendable, CustomStringConvertible {
    public enum Outcome: Sendable, Hashable {
        case accept, discard
        case respond(Int)

        fileprivate init?(_ word: Substring) {
            switch word {
            case "accept": self = .accept
            case "discard": self = .discard
            default:
                guard let status = Int(word) else { return nil }
                self = .respond(status)
            }
        }
    }

    public var name: String
    public var section: String
    public var userAgent: Outcome
    public var registrar: Outcome
    public var proxy: Outcome
    public var bytes: [UInt8]

    public var description: String { "\(section) \(name)" }

    public static let rfc4475 = try! read("rfc4475")
    public static let rfc5118 = try! read("rfc5118")

    private static func read(_ file: String) throws -> [TortureMessage] {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("torture/\(file).txt")
        var messages: [TortureMessage] = []
        var lines = try String(contentsOf: place, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }[...]
        while let head = lines.popFirst() {
            let words = head.split(separator: " ")
            let body = lines.prefix { !$0.hasPrefix("@") }
            lines = lines.dropFirst(body.count)
            guard words.count == 6, words[0] == "@", let userAgent = Outcome(words[3]), let registrar = Outcome(words[4]),
                let proxy = Outcome(words[5])
            else { throw WrittenOctets.Fault(line: String(head)) }
            messages.append(
                TortureMessage(
                    name: String(words[1]), section: String(words[2]), userAgent: userAgent, registrar: registrar, proxy: proxy,
                    bytes: try WrittenOctets.octets(of: body)))
        }
        return messages
    }
}
