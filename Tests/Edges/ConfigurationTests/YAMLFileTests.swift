import Base
import Configuration
import Testing

@Suite("YAML files")
struct YAMLFileTests {
    @Test("Every node knows its line")
    func lines() throws {
        let root = try YAMLFile.parse("a: 1\nb:\n  - x\n  - y: 2\n", name: "f.yaml")
        var reader = try ConfigReader(root)
        #expect(try reader.integer("a", in: 0...9) == 1)
        let list = reader.list("b")
        #expect(list.map(\.place) == [.file(name: "f.yaml", line: 3, column: 5), .file(name: "f.yaml", line: 4, column: 5)])
    }

    @Test("A quoted null is text, a plain one is absent")
    func nulls() throws {
        var reader = try ConfigReader(try YAMLFile.parse("a: ~\nb: 'null'\nc:\n", name: "f"))
        #expect(try reader.string("a") == nil)
        #expect(try reader.string("b") == "null")
        #expect(try reader.string("c") == nil)
    }

    @Test(
        "What is not YAML is reported with its line",
        arguments: [("a: 1\nb: [1, 2\nc: 3\n", 3), ("a: 1\n\tb: 2\n", 2), ("a: 'x\n", 2)])
    func broken(text: String, line: Int) {
        let error = #expect(throws: ConfigError.self) { try YAMLFile.parse(text, name: "f") }
        guard case .file(_, let found, _)? = error?.place else {
            Issue.record("no place")
            return
        }
        #expect(found == line)
        #expect(error?.problem.hasPrefix("not YAML: ") == true)
    }

    @Test("A key that stands twice is refused")
    func duplicate() {
        #expect(throws: ConfigError.self) { try YAMLFile.parse("a: 1\na: 2\n", name: "f") }
    }

    @Test("Nesting beyond 32 levels is refused, not followed")
    func depth() {
        let text = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(throws: ConfigError.self) { try YAMLFile.parse(text, name: "f") }
    }
}
