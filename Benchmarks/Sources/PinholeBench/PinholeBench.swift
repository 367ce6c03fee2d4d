import Foundation

/// The Swift half of the benchmarks. Prints one line of figures that scripts/bench reads:
///
///     pinhole-bench parse FILE COUNT
///     pinhole-bench register PORT REALM PASSWORD USERS COUNT WINDOW
///     pinhole-bench bindings SIZE...
///     pinhole-bench calls COUNT
///     pinhole-bench room PARTIES SPEAKERS TICKS
///     pinhole-bench codec NAME FRAMES
///     pinhole-bench nat PATH MAPPINGS PACKETS
@main
struct PinholeBench {
    static func main() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        func number(_ index: Int) throws -> Int {
            guard index < words.count, let value = Int(words[index]), value > 0 else { throw usage }
            return value
        }
        switch words.first {
        case "parse" where words.count == 3:
            guard let data = FileManager.default.contents(atPath: words[1]) else { throw BenchError("cannot read \(words[1])") }
            try print(nanosecondsPerParse(of: [UInt8](data), times: number(2)))
        case "register" where words.count == 7:
            guard let port = UInt16(words[1]) else { throw usage }
            var load = try RegisterLoad(
                port: port, realm: words[2], password: words[3], users: number(4), window: number(6))
            print(try load.run(number(5)))
        case "bindings" where words.count > 1:
            try measureBindings(words.indices.dropFirst().map { try number($0) })
        case "calls" where words.count == 2: try print(measureCalls(number(1)))
        case "room" where words.count == 4:
            try print(measureRoom(parties: number(1), speakers: number(2), ticks: number(3)))
        case "codec" where words.count == 3:
            let cost = try measureCodec(words[1], frames: number(2))
            print(cost.map { "\($0.encode) \($0.decode)" } ?? "missing")
        case "nat" where words.count == 4:
            try print(measureTranslations(words[1], size: number(2), count: number(3)))
        default: throw usage
        }
    }

    private static var usage: BenchError {
        BenchError(
            "usage: pinhole-bench parse FILE COUNT | register PORT REALM PASSWORD USERS COUNT WINDOW | bindings SIZE... | calls COUNT "
                + "| room PARTIES SPEAKERS TICKS | codec NAME FRAMES | nat PATH MAPPINGS PACKETS")
    }
}

struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
