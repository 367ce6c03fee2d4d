// swift-tools-version:6.2
import PackageDescription

// The parsers are compiled here a second time, from the same files through the link `Pinhole`: the fuzzer needs them instrumented, and
// replaying the corpora must not wait for dependencies that no parser has.
//
// PINHOLE_SANITIZE: what to build the fuzzer with, "fuzzer" or "fuzzer,address"; without it there is only the replay. Set by scripts/fuzz.
let sanitizers = Context.environment["PINHOLE_SANITIZE"]

let settings: [SwiftSetting] =
    [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]
    + (sanitizers.map { [.unsafeFlags(["-sanitize=\($0)", "-parse-as-library"])] } ?? [])

func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

var targets = [
    room("Base", "Pinhole/Base"),
    room("SIP", "Pinhole/Formats/SIP", ["Base"]),
    room("STUN", "Pinhole/Formats/STUN", ["Base"]),
    room("DNS", "Pinhole/Formats/DNS", ["Base"]),
    room("Packet", "Pinhole/Formats/Packet", ["Base"]),
    room("RTP", "Pinhole/Formats/RTP", ["Base"]),
    room("Codecs", "Pinhole/Machines/Codecs", ["Base", "RTP"]),
    room("MediaControl", "Pinhole/Machines/MediaControl", ["Base", "RTP"]),
    room("Conference", "Pinhole/Machines/Conference", ["Base", "RTP", "Codecs", "MediaControl"]),
    room("SDP", "Pinhole/Formats/SDP", ["Base", "RTP"]),
    room("TLS", "Pinhole/Formats/TLS"),
    room("Capture", "Pinhole/Formats/Capture", ["Base", "Packet", "TLS"]),
    room("Analysis", "Pinhole/Analysis", ["Base", "SIP", "DNS", "Packet", "TLS", "Capture", "RTP"]),
    room("ReportText", "Pinhole/ReportText", ["Base"]),
    room("Redaction", "Pinhole/Redaction", ["Base"]),
    room("ExplainReport", "Pinhole/ExplainReport", ["Base", "Analysis", "ReportText", "Redaction"]),
    room("CaptureExcerpt", "Pinhole/CaptureExcerpt", ["Base", "Packet", "Capture", "Analysis", "ExplainReport", "Redaction"]),
    room(
        "Targets", "Sources/Targets",
        ["SIP", "STUN", "DNS", "Packet", "RTP", "SDP", "Codecs", "Conference", "Capture", "CaptureExcerpt"]),
]
if let sanitizers {
    targets += [
        .systemLibrary(name: "CFuzzer", path: "Sources/CFuzzer"),
        .executableTarget(
            name: "pinhole-fuzz", dependencies: ["Targets", "CFuzzer"], path: "Sources/PinholeFuzz", swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-sanitize=\(sanitizers)"])]),
    ]
} else {
    targets.append(
        .executableTarget(name: "pinhole-replay", dependencies: ["Targets"], path: "Sources/Replay", swiftSettings: settings))
}

let package = Package(name: "Fuzz", targets: targets)
