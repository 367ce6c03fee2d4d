import Foundation

/// As much of JSON Schema (draft 2020-12) as docs/explain.schema.json uses: type, enum, required, properties, additionalProperties,
/// items, anyOf and references into $defs.
struct SchemaCheck {
    let root: [String: Any]

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/explain.schema.json")
        // The folder may be a link elsewhere: the tests' own path leads to the documentation beside them.
        root = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    }

    /// What is wrong, a sentence each; at most twenty.
    func faults(_ text: String) throws -> [String] {
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        var faults: [String] = []
        check(value, root, "$", &faults)
        return Array(faults.prefix(20))
    }

    private func check(_ value: Any, _ schema: [String: Any], _ path: String, _ faults: inout [String]) {
        if let reference = schema["$ref"] as? String {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let target = (root["$defs"] as? [String: Any])?[name] as? [String: Any] else {
                faults.append("\(path): \(reference) is not defined")
                return
            }
            return check(value, target, path, &faults)
        }
        if let choices = schema["anyOf"] as? [[String: Any]] {
            let fits = choices.contains { choice in
                var tried: [String] = []
                check(value, choice, path, &tried)
                return tried.isEmpty
            }
            if !fits { faults.append("\(path): fits none of the choices") }
            return
        }
        let types = (schema["type"] as? [String]) ?? (schema["type"] as? String).map { [$0] } ?? []
        let own = Self.types(of: value)
        if !types.isEmpty, own.isDisjoint(with: types) {
            faults.append("\(path): is \(own.sorted()), not \(types)")
            return
        }
        if let allowed = schema["enum"] as? [String], let text = value as? String, !allowed.contains(text) {
            faults.append("\(path): \"\(text)\" is none of the values")
        }
        if let members = value as? [String: Any] { check(members: members, schema, path, &faults) }
        if let elements = value as? [Any], let items = schema["items"] as? [String: Any] {
            for (index, element) in elements.enumerated() { check(element, items, "\(path)[\(index)]", &faults) }
        }
    }

    private func check(members: [String: Any], _ schema: [String: Any], _ path: String, _ faults: inout [String]) {
        for name in schema["required"] as? [String] ?? [] where members[name] == nil {
            faults.append("\(path).\(name) is missing")
        }
        let known = schema["properties"] as? [String: Any] ?? [:]
        for (name, member) in members {
            if let property = known[name] as? [String: Any] {
                check(member, property, "\(path).\(name)", &faults)
            } else if let others = schema["additionalProperties"] as? [String: Any] {
                check(member, others, "\(path).\(name)", &faults)
            } else if schema["additionalProperties"] as? Bool == false {
                faults.append("\(path).\(name) is not documented")
            }
        }
    }

    private static func types(of value: Any) -> Set<String> {
        switch value {
        case is NSNull: return ["null"]
        case is String: return ["string"]
        case is [Any]: return ["array"]
        case is [String: Any]: return ["object"]
        case let number as NSNumber:
            if CFGetTypeIDIsBoolean(number) { return ["boolean"] }
            return number.doubleValue == number.doubleValue.rounded() ? ["integer", "number"] : ["number"]
        default: return []
        }
    }

    /// JSONSerialization hands true and false out as numbers of the type `c`.
    private static func CFGetTypeIDIsBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
}
