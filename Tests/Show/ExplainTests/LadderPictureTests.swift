import Analysis
import Testing

@testable import ShowExplain

@Suite("The ladder as a picture")
struct LadderPictureTests {
    /// Elements of one `svg`, with their numbers.
    private struct Picture {
        var kind: String
        var width: Double
        var height: Double
        var lines: [(kind: String, x1: Double, x2: Double, y1: Double, y2: Double)] = []
        var words: [(text: String, from: Double, to: Double, y: Double)] = []
    }

    private static func attribute(_ name: String, _ tag: Substring) -> String? {
        guard let start = tag.range(of: " \(name)=\"")?.upperBound, let end = tag[start...].firstIndex(of: "\"") else {
            return nil
        }
        return String(tag[start..<end])
    }

    private static func pictures(_ html: String) -> [Picture] {
        var pictures: [Picture] = []
        for piece in html.split(separator: "<") {
            let tag = piece.prefix { $0 != ">" }
            func number(_ name: String) -> Double { attribute(name, tag).flatMap(Double.init) ?? .nan }
            if tag.hasPrefix("svg ") {
                let size = (attribute("viewBox", tag) ?? "").split(separator: " ").compactMap { Double($0) }
                pictures.append(Picture(kind: attribute("class", tag) ?? "", width: size[2], height: size[3]))
            } else if tag.hasPrefix("line ") {
                pictures[pictures.count - 1].lines.append(
                    (attribute("class", tag) ?? "", number("x1"), number("x2"), number("y1"), number("y2")))
            } else if tag.hasPrefix("text ") {
                let text = piece.drop { $0 != ">" }.dropFirst()
                // What a letter takes in common fonts: a half of its height and a little.
                let kind = attribute("class", tag) ?? ""
                let width = Double(text.count) * (kind.contains("small") ? 6.4 : kind == "strong" ? 8 : 7.2)
                let x = number("x")
                let from = attribute("text-anchor", tag) == "middle" ? x - width / 2 : x
                pictures[pictures.count - 1].words.append((String(text), from, from + width, number("y")))
            }
        }
        return pictures.filter { $0.kind.hasPrefix("ladder") }
    }

    private static let results: [(name: String, result: @Sendable () throws -> AnalysisResult)] = [
        ("stale", { Cases.stale(user: "a-rather-long-user-name-of-somebody", calls: 3) }), ("log", { Cases.pasted() }),
        ("healthy", { Cases.healthy() }), ("call out, both sides", { try Cases.sides("call-out-udp-helper") }),
        ("call in, both sides", { try Cases.sides("call-in-udp-helper") }),
    ]

    @Test("no word is crossed by a line, laid upon another, or cut off, on a page and on a phone's screen", arguments: 0..<5)
    func clear(which: Int) throws {
        let pictures = Self.pictures(ExplainPage(try Self.results[which].result(), title: "x").html)
        #expect(Set(pictures.map(\.kind)) == ["ladder page", "ladder screen"])
        for picture in pictures {
            for (index, word) in picture.words.enumerated() {
                #expect(word.from >= 0 && word.to <= picture.width && word.y <= picture.height, "\(picture.kind): \(word)")
                for line in picture.lines {
                    let isCrossed =
                        min(line.x1, line.x2) < word.to && max(line.x1, line.x2) > word.from && min(line.y1, line.y2) < word.y
                        && max(line.y1, line.y2) > word.y - 9
                    #expect(!isCrossed, "\(picture.kind): \(word) and \(line)")
                }
                for other in picture.words[..<index] {
                    #expect(
                        abs(other.y - word.y) >= 9 || other.to <= word.from || word.to <= other.from,
                        "\(picture.kind): \(word) and \(other)")
                }
            }
        }
    }

    @Test("on a phone's screen a ladder is as wide as the screen, however many columns it has", arguments: 0..<5)
    func narrow(which: Int) throws {
        for picture in Self.pictures(ExplainPage(try Self.results[which].result(), title: "x").html)
        where picture.kind == "ladder screen" {
            #expect(picture.width == 350)
        }
    }

    @Test("every arrow begins and ends at a lifeline, and every lifeline has an arrow", arguments: 0..<5)
    func columns(which: Int) throws {
        for picture in Self.pictures(ExplainPage(try Self.results[which].result(), title: "x").html) {
            let lifelines = Set(picture.lines.filter { $0.kind == "life" }.map(\.x1))
            let arrows = picture.lines.filter { $0.kind != "life" }
            #expect(arrows.allSatisfy { lifelines.contains($0.x1) })
            // A head's eight units are drawn apart.
            let touched = Set(arrows.flatMap { [$0.x1, $0.x2 + ($0.x2 > $0.x1 ? 8 : -8)] }.map { ($0 * 10).rounded() / 10 })
            #expect(lifelines.allSatisfy { line in touched.contains { abs($0 - line) < 0.25 } })
        }
    }
}
