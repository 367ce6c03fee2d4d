import Foundation
import NAT
import Testing

@Suite("docs/nat.md")
struct NATDocumentTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test("each test it names exists, and each reason for dropping a packet is named")
    func named() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("docs/nat.md"), encoding: .utf8)
        var sources: [String: String] = [:]
        for folder in ["Tests/Machines/NATTests", "Tests/Nodes/RouterNodeTests"] {
            let path = Self.root.appendingPathComponent(folder)
            for name in try FileManager.default.contentsOfDirectory(atPath: path.path) where name.hasSuffix("Tests.swift") {
                sources[String(name.dropLast(6))] = try String(contentsOf: path.appendingPathComponent(name), encoding: .utf8)
            }
        }
        let names = text.matches(of: #/`([A-Za-z0-9]+Tests)\.([A-Za-z0-9]+)`/#)
        #expect(names.count > 60)
        let missing = names.filter { sources[String($0.1)]?.contains("func \($0.2)(") != true }.map { String($0.0) }
        #expect(missing.isEmpty)
        #expect(NATDropKind.allCases.filter { !text.contains("`\($0.rawValue)`") }.isEmpty)
        // A row without a test is no row.
        let bare = text.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.contains("Tests.") && !$0.contains("| test |") }
        #expect(bare.isEmpty)
    }
}
