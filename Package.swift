// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A part of the house and what it may see: only what stands above it here.
func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

func tests(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(path)Tests", swiftSettings: settings)
}

let package = Package(
    name: "pinhole",
    products: [
        .executable(name: "pinhole", targets: ["pinhole"]),
        // The lab alone: no NIO, no database, nothing to install. What `make demo` builds.
        .executable(name: "pinhole-lab", targets: ["pinhole-lab"]),
        .library(name: "PinholeCore", targets: ["SIP", "STUN", "DNS", "Packet", "SIPStack", "STUNStack", "DNSClient", "NAT", "ALG"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    ],
    targets: [
        room("Base", "Base"),

        room("SIP", "Formats/SIP", ["Base"]),
        room("STUN", "Formats/STUN", ["Base"]),
        room("DNS", "Formats/DNS", ["Base"]),
        room("Packet", "Formats/Packet", ["Base"]),
        room("Capture", "Formats/Capture", ["Base", "Packet"]),

        room("SIPStack", "Machines/SIPStack", ["Base", "SIP", crypto]),
        room("STUNStack", "Machines/STUNStack", ["Base", "STUN", crypto]),
        room("DNSClient", "Machines/DNSClient", ["Base", "DNS"]),
        room("NAT", "Machines/NAT", ["Base", "Packet"]),
        room("ALG", "Machines/ALG", ["Base", "SIP"]),

        room("VirtualNetwork", "VirtualNetwork", ["Base", "Packet", "Capture"]),

        room("ServerNode", "Nodes/ServerNode", ["Base", "SIP", "SIPStack", "STUN", "STUNStack"]),
        room("PhoneNode", "Nodes/PhoneNode", ["Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient"]),
        room("RouterNode", "Nodes/RouterNode", ["Base", "Packet", "SIP", "NAT", "ALG"]),

        room(
            "Lab", "Lab",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient", "Packet", "Capture", "NAT", "ALG",
                "VirtualNetwork", "ServerNode", "PhoneNode", "RouterNode",
            ]),
        room(
            "Report", "Report",
            ["Base", "SIP", "STUN", "Packet", "NAT", "ALG", "SIPStack", "ServerNode", "PhoneNode", "RouterNode", "Lab"]),

        room("Configuration", "Edges/Configuration", ["Base", .product(name: "Yams", package: "Yams")]),
        room("LabCommand", "Edges/LabCommand", ["Base", "Lab", "Report", "Configuration", arguments]),
        .target(name: "CLinux", path: "Sources/Edges/CLinux"),
        room("LinuxEdge", "Edges/Linux", ["Base", "CLinux"]),
        room(
            "Storage", "Edges/Storage",
            ["Base", "SIP", "SIPStack", "ServerNode", .product(name: "GRDB", package: "GRDB.swift")]),

        room("Serve", "Edges/Serve", ["Base", "SIPStack", "STUNStack", "ServerNode", "LinuxEdge", "Storage"]),

        .executableTarget(
            name: "pinhole",
            dependencies: [
                "Base", "SIP", "SIPStack", "DNSClient", "ServerNode", "PhoneNode", "Report", "Configuration", "LinuxEdge",
                "Storage", "Serve", "LabCommand", arguments,
            ],
            path: "Sources/pinhole", swiftSettings: settings),
        .executableTarget(name: "pinhole-lab", dependencies: ["LabCommand"], path: "Sources/pinhole-lab", swiftSettings: settings),
    ]
)
