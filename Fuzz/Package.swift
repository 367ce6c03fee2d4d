// swift-tools-version:6.2
import PackageDescription

// The parsers and nodes are compiled here a second time, from the same files through the link `Pinhole`: the fuzzer needs them instrumented,
// and replaying the parsers' corpora must not wait for what no parser has. The small world of whole nodes is there for the fuzzer alone; the root
// package's tests replay it.
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
    room("Pcap", "Pinhole/Formats/Pcap", ["Base"]),
    room("Capture", "Pinhole/Formats/Capture", ["Base", "Packet", "Pcap", "TLS"]),
    room("Analysis", "Pinhole/Analysis", ["Base", "SIP", "DNS", "Packet", "TLS", "Capture", "RTP"]),
    room("Redaction", "Pinhole/Redaction", ["Base", "Capture"]),
    room("ShowText", "Pinhole/Show/Text", ["Base"]),
    room("ShowExplain", "Pinhole/Show/Explain", ["Base", "Capture", "Analysis", "Redaction", "ShowText"]),
    room(
        "Exercises", "Sources/Exercises",
        [
            "Base", "SIP", "STUN", "DNS", "Packet", "RTP", "SDP", "Codecs", "MediaControl", "Conference", "TLS", "Capture",
            "Analysis", "Redaction", "ShowExplain",
        ]),
    room("Targets", "Sources/Targets", ["Exercises"]),
]
if let sanitizers {
    targets += [
        .target(name: "CHashes", path: "Pinhole/CHashes", linkerSettings: [.linkedLibrary("dl")]),
        room("Hashes", "Pinhole/Hashes", ["CHashes"]),
        room("SIPStack", "Pinhole/Machines/SIPStack", ["Base", "Hashes", "SIP"]),
        room("STUNStack", "Pinhole/Machines/STUNStack", ["Base", "Hashes", "STUN"]),
        room("DNSClient", "Pinhole/Machines/DNSClient", ["Base", "DNS"]),
        room(
            "RegistrationClient", "Pinhole/Machines/RegistrationClient",
            ["Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient"]),
        room("ICE", "Pinhole/Machines/ICE", ["Base", "RTP", "SDP", "STUN", "STUNStack", "MediaControl"]),
        room("NAT", "Pinhole/Machines/NAT", ["Base", "Packet"]),
        room("TCP", "Pinhole/Machines/TCP", ["Base", "Packet"]),
        room("ALG", "Pinhole/Machines/ALG", ["Base"]),
        room("Relay", "Pinhole/Machines/Relay", ["Base", "RTP", "STUN", "STUNStack", "MediaControl"]),
        room(
            "MediaPlane", "Pinhole/Machines/MediaPlane", ["Base", "RTP", "MediaControl", "Codecs", "Conference", "Relay"]),
        room("VirtualNetwork", "Pinhole/VirtualNetwork", ["Base", "Packet", "Pcap", "TCP"]),
        room("Registrar", "Pinhole/Machines/Registrar", ["Base", "SIP", "SIPStack"]),
        room("CallServer", "Pinhole/Machines/CallServer", ["Base", "SIP", "SIPStack", "RTP", "SDP", "MediaControl"]),
        room("Subscriptions", "Pinhole/Machines/Subscriptions", ["Base", "SIP", "SIPStack"]),
        room(
            "ServerNode", "Pinhole/Nodes/ServerNode",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "MediaControl", "Registrar", "CallServer", "Subscriptions",
            ]),
        room(
            "PhoneNode", "Pinhole/Nodes/PhoneNode",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "RTP", "SDP", "RegistrationClient", "ICE", "Codecs",
                "MediaControl", "Relay",
            ]),
        room("Ethernet", "Pinhole/Machines/Ethernet", ["Base", "Packet"]),
        room("DHCP", "Pinhole/Machines/DHCP", ["Base", "DNS", "Ethernet"]),
        room("DNSForwarder", "Pinhole/Machines/DNSForwarder", ["Base", "DNS"]),
        room("PortControl", "Pinhole/Machines/PortControl", ["Base"]),
        room(
            "RouterNode", "Pinhole/Nodes/RouterNode",
            ["Base", "DNS", "Packet", "NAT", "ALG", "Ethernet", "DHCP", "DNSForwarder", "PortControl"]),
        room(
            "Lab", "Pinhole/Lab",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient", "Packet", "NAT", "ALG", "TCP",
                "Codecs", "MediaControl", "Relay", "MediaPlane", "VirtualNetwork", "RegistrationClient", "ServerNode",
                "PhoneNode",
                "RouterNode",
            ]),
        room(
            "World", "Sources/World",
            [
                "Base", "SIP", "SIPStack", "Packet", "NAT", "ALG", "MediaControl", "VirtualNetwork", "ServerNode", "PhoneNode",
                "RouterNode", "Lab",
            ]),
        .systemLibrary(name: "CFuzzer", path: "Sources/CFuzzer"),
        .executableTarget(
            name: "pinhole-fuzz", dependencies: ["Targets", "World", "CFuzzer"], path: "Sources/PinholeFuzz",
            swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-sanitize=\(sanitizers)"])]),
    ]
} else {
    targets.append(
        .executableTarget(name: "pinhole-replay", dependencies: ["Targets"], path: "Sources/Replay", swiftSettings: settings))
}

let package = Package(name: "Fuzz", targets: targets)
