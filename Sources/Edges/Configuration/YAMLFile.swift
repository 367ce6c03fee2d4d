import Base
import Yams

/// A YAML document as a tree of `ConfigNode`s that know their lines.
///
/// Yams reads the language; meaning and complaints are the reader's (`ConfigReader`), so that a mistake is always
/// reported with file, line, key and what was expected.
public enum YAMLFile {
    /// Throws a `ConfigError` with the line when `text` is not YAML. An empty document is an empty node.
    public static func parse(_ text: String, name: String) throws(ConfigError) -> ConfigNode {
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw complaint(about: error, name: name)
        } catch {
            throw ConfigError(at: .file(name: name, line: 1, column: 1), key: "", "not YAML: \(error)")
        }
        let start = ConfigPlace.file(name: name, line: 1, column: 1)
        guard let root else { return ConfigNode(.empty, at: start) }
        return try convert(root, name: name, depth: 0)
    }

    private static func complaint(about error: YamlError, name: String) -> ConfigError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = ConfigPlace.file(name: name, line: mark.line, column: mark.column)
            let around = context.map { " (\($0.text))" } ?? ""
            return ConfigError(at: place, key: "", "not YAML: \(problem)\(around)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let place = ConfigPlace.file(name: name, line: context.mark.line, column: context.mark.column)
            let key = duplicates.first ?? "?"
            return ConfigError(at: place, key: key, "this key stands twice; keep one")
        default:
            return ConfigError(at: .file(name: name, line: 1, column: 1), key: "", "not YAML: \(error)")
        }
    }

    private static func convert(_ node: Yams.Node, name: String, depth: Int) throws(ConfigError) -> ConfigNode {
        let place = ConfigPlace.file(name: name, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        guard depth < 32 else { throw ConfigError(at: place, key: "", "nested more than 32 levels deep") }
        switch node {
        case .scalar(let scalar):
            let plain = scalar.style == .plain || scalar.style == .any
            let isNull = plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return ConfigNode(isNull ? .empty : .scalar(scalar.string), at: place)
        case .sequence(let sequence):
            var nodes: [ConfigNode] = []
            for node in sequence { nodes.append(try convert(node, name: name, depth: depth + 1)) }
            return ConfigNode(.sequence(nodes), at: place)
        case .mapping(let mapping):
            var entries: [ConfigNode.Entry] = []
            for (key, value) in mapping {
                let keyPlace = ConfigPlace.file(name: name, line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
                guard let text = key.string else {
                    throw ConfigError(at: keyPlace, key: "", "expected a plain word as key")
                }
                entries.append(.init(key: text, place: keyPlace, value: try convert(value, name: name, depth: depth + 1)))
            }
            return ConfigNode(.mapping(entries), at: place)
        case .alias:
            throw ConfigError(at: place, key: "", "aliases are not supported here; write the value out")
        }
    }
}
