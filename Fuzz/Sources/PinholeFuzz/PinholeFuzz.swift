import CFuzzer
import Glibc
import Targets
import World

/// What to try: from the environment and not from an argument, as libFuzzer starts itself anew with arguments of its own.
private let exercise: @Sendable ([UInt8]) -> Void = {
    let name = getenv("PINHOLE_FUZZ").map { String(cString: $0) } ?? ""
    if name == "world" { return exerciseWorld }
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue) + ["world"]
        let text = "PINHOLE_FUZZ must be one of \(names.joined(separator: ", ")).\n"
        write(2, text, text.utf8.count)
        exit(2)
    }
    return target.exercise
}()

/// The entry libFuzzer calls for every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exercise([UInt8](UnsafeBufferPointer(start: data, count: size)))
    return 0
}

@main
struct PinholeFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments, fuzzOneInput))
    }
}
