// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A part of the house and what it may see: only what stands above it here.
func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

func tests(_ name: String, _ path: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(path)Tests", exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "pinhole",
    products: [
        .executable(name: "pinhole", targets: ["pinhole"]),
        // What `make demo` builds: no dependency, no analyser, nothing to install.
        .executable(name: "pinhole-demo", targets: ["pinhole-demo"]),
        // The lab alone: no NIO, no database, nothing to install.
        .executable(name: "pinhole-lab", targets: ["pinhole-lab"]),
        .executable(name: "pinhole-explain", targets: ["pinhole-explain"]),
        // The protocol machines for other programs, for the benchmarks and the fuzzers. They do not see the outside world either.
        .library(
            name: "PinholeCore",
            targets: [
                "Base", "SIP", "STUN", "DNS", "Packet", "Capture", "SIPStack", "STUNStack", "DNSClient", "RegistrationClient",
                "ICE", "NAT", "ALG", "Registrar", "CallServer", "Subscriptions", "ServerNode", "PhoneNode", "RouterNode", "RTP",
                "Codecs", "MediaControl",
                "Conference",
            ]),
        // Opus and G.722 for them.
        .library(name: "PinholeAudio", targets: ["AudioCodecs"]),
        // The media loop on real sockets, for the benchmark of the relay.
        .library(name: "PinholeMedia", targets: ["Base", "RTP", "MediaControl", "MediaPlane", "LinuxEdge", "Media"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    ],
    targets: [
        room("Base", "Base"),
        // The system's libcrypto, opened at run time: nothing to compile, nothing to install.
        .target(name: "CHashes", path: "Sources/CHashes", linkerSettings: [.linkedLibrary("dl")]),
        room("Hashes", "Hashes", ["CHashes"]),

        room("SIP", "Formats/SIP", ["Base"]),
        room("STUN", "Formats/STUN", ["Base"]),
        room("RTP", "Formats/RTP", ["Base"]),
        room("SDP", "Formats/SDP", ["Base", "RTP"]),
        room("DNS", "Formats/DNS", ["Base"]),
        room("Packet", "Formats/Packet", ["Base"]),
        room("TLS", "Formats/TLS"),
        room("Pcap", "Formats/Pcap", ["Base"]),
        room("Capture", "Formats/Capture", ["Base", "Packet", "Pcap", "TLS"]),

        room("SIPStack", "Machines/SIPStack", ["Base", "Hashes", "SIP"]),
        room("STUNStack", "Machines/STUNStack", ["Base", "Hashes", "STUN"]),
        room("DNSClient", "Machines/DNSClient", ["Base", "DNS"]),
        room(
            "RegistrationClient", "Machines/RegistrationClient",
            ["Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient"]),
        room("ICE", "Machines/ICE", ["Base", "RTP", "SDP", "STUN", "STUNStack", "MediaControl"]),
        room("NAT", "Machines/NAT", ["Base", "Packet"]),
        room("TCP", "Machines/TCP", ["Base", "Packet"]),
        room("Ethernet", "Machines/Ethernet", ["Base", "Packet"]),
        room("DHCP", "Machines/DHCP", ["Base", "DNS", "Ethernet"]),
        room("DNSForwarder", "Machines/DNSForwarder", ["Base", "DNS"]),
        room("PortControl", "Machines/PortControl", ["Base"]),
        room("ALG", "Machines/ALG", ["Base"]),
        room("Codecs", "Machines/Codecs", ["Base", "RTP"]),
        room("MediaControl", "Machines/MediaControl", ["Base", "RTP"]),
        room("Conference", "Machines/Conference", ["Base", "RTP", "Codecs", "MediaControl"]),
        room("Relay", "Machines/Relay", ["Base", "RTP", "STUN", "STUNStack", "MediaControl"]),
        room("MediaPlane", "Machines/MediaPlane", ["Base", "RTP", "MediaControl", "Codecs", "Conference", "Relay"]),

        room("Registrar", "Machines/Registrar", ["Base", "SIP", "SIPStack"]),
        room("CallServer", "Machines/CallServer", ["Base", "SIP", "SIPStack", "RTP", "SDP", "MediaControl"]),
        room("Subscriptions", "Machines/Subscriptions", ["Base", "SIP", "SIPStack"]),

        room("VirtualNetwork", "VirtualNetwork", ["Base", "Packet", "Pcap", "TCP"]),

        room(
            "ServerNode", "Nodes/ServerNode",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "MediaControl", "Registrar", "CallServer", "Subscriptions",
            ]),
        room(
            "PhoneNode", "Nodes/PhoneNode",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "RTP", "SDP", "RegistrationClient", "ICE", "Codecs",
                "MediaControl", "Relay",
            ]),
        room(
            "RouterNode", "Nodes/RouterNode",
            ["Base", "DNS", "Packet", "NAT", "ALG", "Ethernet", "DHCP", "DNSForwarder", "PortControl"]),

        room(
            "Lab", "Lab",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient", "Packet", "NAT", "ALG", "TCP",
                "Codecs", "MediaControl", "Relay", "MediaPlane", "VirtualNetwork", "RegistrationClient", "ServerNode",
                "PhoneNode", "RouterNode",
            ]),

        room("Analysis", "Analysis", ["Base", "SIP", "DNS", "Packet", "TLS", "Capture", "RTP"]),
        room("Redaction", "Redaction", ["Base", "Capture"]),

        room("ShowText", "Show/Text", ["Base"]),
        room("Secrets", "Show/Secrets"),
        room("ShowExplain", "Show/Explain", ["Base", "Capture", "Analysis", "Redaction", "ShowText"]),
        room(
            "ShowLab", "Show/Lab",
            [
                "Base", "SIP", "NAT", "ALG", "MediaControl", "VirtualNetwork", "RegistrationClient", "ServerNode", "PhoneNode",
                "RouterNode", "Lab", "ShowText", "Secrets",
            ]),
        room("ShowRouter", "Show/Router", ["Base", "NAT", "ALG", "RouterNode", "ShowText"]),
        room("LabAnalysis", "Show/LabAnalysis", ["Base", "Capture", "ServerNode", "Lab", "Analysis"]),

        room("Configuration", "Edges/Configuration", ["Base", .product(name: "Yams", package: "Yams")]),
        room("TerminalEdge", "Edges/Terminal", ["ShowText"]),
        room("LogEdge", "Edges/Log", ["Base", "ShowText", "TerminalEdge", logging]),
        room("Demo", "Edges/Demo", ["Hashes", "Lab", "ShowText", "ShowLab", "TerminalEdge"]),
        room(
            "LabCommand", "Edges/LabCommand",
            [
                "Base", "Lab", "Analysis", "ShowText", "ShowLab", "LabAnalysis", "ShowExplain", "Configuration", "TerminalEdge",
                "Demo", arguments,
            ]),
        .target(name: "CAudioCodecs", path: "Sources/Edges/CAudioCodecs", linkerSettings: [.linkedLibrary("dl")]),
        room("AudioCodecs", "Edges/AudioCodecs", ["RTP", "Codecs", "CAudioCodecs"]),
        .target(name: "CLinux", path: "Sources/Edges/CLinux"),
        room("LinuxEdge", "Edges/Linux", ["Base", "CLinux"]),
        .target(name: "CCapture", path: "Sources/Edges/CCapture"),
        .systemLibrary(
            name: "CZlib", path: "Sources/Edges/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CArchive", path: "Sources/Edges/CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(
            name: "CLibcrypto", path: "Sources/Edges/CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        room("CaptureCrypto", "Edges/CaptureCrypto", ["TLS", "CLibcrypto"]),
        room("CaptureInput", "Edges/CaptureInput", ["Base", "TLS", "Capture", "CCapture", "CZlib", "CArchive"]),
        room(
            "ExplainCommand", "Edges/ExplainCommand",
            [
                "Base", "Capture", "Analysis", "Redaction", "ShowText", "ShowExplain", "TerminalEdge", "TLS", "CaptureInput",
                "CaptureCrypto", arguments,
            ]),
        .target(name: "CSRTP", path: "Sources/Edges/CSRTP", linkerSettings: [.linkedLibrary("srtp2")]),
        room("SRTP", "Edges/SRTP", ["CSRTP", "RTP", "MediaControl", "Relay"]),
        room(
            "Media", "Edges/Media", ["Base", "RTP", "MediaControl", "Conference", "Relay", "MediaPlane", "LinuxEdge", "CLinux"]),
        room("Recording", "Edges/Recording", ["Base", "Codecs", "Conference", "LinuxEdge"]),
        room("Speech", "Edges/Speech", ["Codecs", "Conference"]),
        room(
            "Storage", "Edges/Storage",
            [
                "Base", "SIP", "SIPStack", "ServerNode", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),

        .target(name: "CSound", path: "Sources/Edges/CSound", linkerSettings: [.linkedLibrary("dl")]),
        room("SoundEdge", "Edges/Sound", ["CSound", "Codecs"]),
        room(
            "PhoneEdge", "Edges/Phone",
            ["Base", "PhoneNode", "LinuxEdge", "Streams", "Codecs", "MediaControl", "ShowText"]),
        room(
            "Streams", "Edges/Streams",
            [
                "Base", "SIP", crypto, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"), .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "X509", package: "swift-certificates"),
            ]),
        room(
            "MetricsEdge", "Edges/Metrics",
            [
                "Base", .product(name: "CoreMetrics", package: "swift-metrics"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        room(
            "HEPEdge", "Edges/HEP",
            ["Base", "SIP", "RTP", "Capture", "MediaControl", "CallServer", "Secrets", "ShowText", "LinuxEdge"]),
        room(
            "Serve", "Edges/Serve",
            [
                "Base", "SIPStack", "STUNStack", "ServerNode", "LinuxEdge", "Storage", "Streams", "Codecs", "MediaControl",
                "MediaPlane", "Relay", "Media", "SRTP", "RTP", "AudioCodecs", "Recording", "Speech", "MetricsEdge",
                "HEPEdge", "LogEdge", "CLinux", logging, .product(name: "CoreMetrics", package: "swift-metrics"),
            ]),
        room(
            "ServeDaemon", "Edges/ServeDaemon",
            [
                "Base", "ServerNode", "LinuxEdge", "Serve", "LogEdge", "Analysis", "ShowText", "ShowLab", "LabAnalysis",
                "ShowExplain", "TerminalEdge", logging, .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        room(
            "RouterEdge", "Edges/Router",
            ["Base", "Packet", "TCP", "Ethernet", "DHCP", "DNSForwarder", "RouterNode", "LinuxEdge", "CLinux"]),

        .executableTarget(
            name: "pinhole",
            dependencies: [
                "Base", "SIP", "SIPStack", "DNSClient", "ServerNode", "PhoneNode", "Configuration", "LinuxEdge",
                "Storage", "Serve", "PhoneEdge", "SoundEdge", "Streams", "SRTP", "AudioCodecs", "Codecs", "MediaControl",
                "Analysis", "ShowText", "ShowLab", "LabAnalysis", "ShowExplain", "TerminalEdge", "LabCommand", "ExplainCommand",
                "LogEdge", "ServeDaemon", "RouterNode", "RouterEdge", logging, arguments,
            ],
            path: "Sources/pinhole", swiftSettings: settings),
        // Captures and logs alone: no server, no database.
        .executableTarget(
            name: "pinhole-explain", dependencies: ["ExplainCommand"], path: "Sources/pinhole-explain", swiftSettings: settings),
        .executableTarget(
            name: "pinhole-demo", dependencies: ["Demo"], path: "Sources/pinhole-demo", swiftSettings: settings),
        .executableTarget(
            name: "pinhole-lab", dependencies: ["LabCommand"], path: "Sources/pinhole-lab", swiftSettings: settings),

        // What several suites read: recordings of a router's two sides, hostile messages written down.
        .target(
            name: "Fixtures", dependencies: ["Base", "Packet", "Capture"], path: "Tests/Fixtures",
            exclude: ["nat", "tls", "torture"],
            swiftSettings: settings),

        // A small world driven by bytes: whole nodes under fuzz. The Fuzz package compiles it once more, instrumented.
        .target(
            name: "World",
            dependencies: [
                "Base", "SIP", "SIPStack", "Packet", "NAT", "ALG", "MediaControl", "VirtualNetwork", "ServerNode", "PhoneNode",
                "RouterNode", "Lab",
            ],
            path: "Fuzz/Sources/World", swiftSettings: settings),

        // What the fuzzers do with octets, one function a parser; the tests of them that need no fuzzer run it on mutated messages.
        .target(
            name: "Exercises",
            dependencies: [
                "Base", "SIP", "STUN", "DNS", "Packet", "RTP", "SDP", "Codecs", "MediaControl", "Conference", "TLS", "Capture",
                "Analysis", "Redaction", "ShowExplain",
            ],
            path: "Fuzz/Sources/Exercises", swiftSettings: settings),

        // How tests of real sockets and threads wait, and how they come by ports.
        .target(name: "Waiting", dependencies: ["Base", "LinuxEdge"], path: "Tests/Waiting", swiftSettings: settings),

        tests("Base", "Base", ["Base"]),
        tests("Hashes", "Hashes", ["Hashes"]),
        tests("SIP", "Formats/SIP", ["Base", "SIP", "Fixtures"]),
        tests("STUN", "Formats/STUN", ["Base", "STUN"]),
        tests("RTP", "Formats/RTP", ["Base", "RTP"]),
        tests("SDP", "Formats/SDP", ["Base", "RTP", "SDP"]),
        tests("DNS", "Formats/DNS", ["Base", "DNS"]),
        tests("Packet", "Formats/Packet", ["Base", "Packet"]),
        tests("TLS", "Formats/TLS", ["TLS", "CaptureCrypto", "Fixtures"]),
        tests("Capture", "Formats/Capture", ["Base", "Packet", "TLS", "Capture", "CaptureCrypto", "Fixtures"]),
        tests("Exercises", "Exercises", ["Base", "SIP", "DNS", "Packet", "Exercises", "Fixtures"]),
        tests("Redaction", "Redaction", ["Base", "Redaction"]),
        tests("Secrets", "Show/Secrets", ["Secrets"]),
        tests("ShowText", "Show/Text", ["Base", "ShowText", "Fixtures"]),
        tests(
            "ShowExplain", "Show/Explain",
            ["Base", "Packet", "Capture", "Analysis", "Redaction", "ShowText", "ShowExplain", "Fixtures"]),
        tests("CaptureInput", "Edges/CaptureInput", ["Base", "Packet", "Capture", "CaptureInput", "CArchive"]),
        tests(
            "ExplainCommand", "Edges/ExplainCommand",
            ["Base", "Packet", "Capture", "TLS", "Analysis", "ExplainCommand", "Fixtures"]),
        tests("SIPStack", "Machines/SIPStack", ["Base", "SIP", "SIPStack"]),
        tests("Registrar", "Machines/Registrar", ["Base", "SIP", "SIPStack", "Registrar"]),
        tests("CallServer", "Machines/CallServer", ["Base", "SIP", "SIPStack", "MediaControl", "CallServer"]),
        tests("Subscriptions", "Machines/Subscriptions", ["Base", "SIP", "SIPStack", "Subscriptions"]),
        tests("STUNStack", "Machines/STUNStack", ["Base", "STUN", "STUNStack"]),
        tests("DNSClient", "Machines/DNSClient", ["Base", "DNS", "DNSClient"]),
        tests("RegistrationClient", "Machines/RegistrationClient", ["Base", "SIP", "RegistrationClient"]),
        tests("ICE", "Machines/ICE", ["Base", "RTP", "SDP", "STUN", "STUNStack", "ICE"]),
        tests("NAT", "Machines/NAT", ["Base", "Packet", "NAT"]),
        tests("TCP", "Machines/TCP", ["Base", "Packet", "TCP"]),
        tests("Ethernet", "Machines/Ethernet", ["Base", "Packet", "Ethernet"]),
        tests("DHCP", "Machines/DHCP", ["Base", "DNS", "Ethernet", "DHCP"]),
        tests("DNSForwarder", "Machines/DNSForwarder", ["Base", "DNS", "DNSForwarder"]),
        tests("PortControl", "Machines/PortControl", ["Base", "PortControl"]),
        tests("Relay", "Machines/Relay", ["Base", "RTP", "STUN", "STUNStack", "MediaControl", "Relay"]),
        tests(
            "MediaPlane", "Machines/MediaPlane", ["Base", "RTP", "MediaControl", "Codecs", "Conference", "Relay", "MediaPlane"]),
        tests("ALG", "Machines/ALG", ["Base", "SIP", "Packet", "Capture", "ALG", "Fixtures"]),
        tests("Codecs", "Machines/Codecs", ["Base", "RTP", "Codecs"]),
        tests("Conference", "Machines/Conference", ["Base", "RTP", "Codecs", "MediaControl", "Conference"]),
        tests("VirtualNetwork", "VirtualNetwork", ["Base", "Packet", "Capture", "TCP", "VirtualNetwork"]),
        tests(
            "ServerNode", "Nodes/ServerNode",
            ["Base", "SIP", "SIPStack", "STUN", "STUNStack", "RTP", "SDP", "MediaControl", "ServerNode"]),
        tests(
            "PhoneNode", "Nodes/PhoneNode",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient", "RTP", "SDP", "MediaControl", "Codecs",
                "RegistrationClient", "PhoneNode",
            ]),
        tests(
            "RouterNode", "Nodes/RouterNode",
            [
                "Base", "DNS", "Packet", "Capture", "SIP", "NAT", "ALG", "Ethernet", "DHCP", "DNSForwarder", "PortControl",
                "RouterNode",
                "Fixtures",
            ]),
        tests(
            "Lab", "Lab",
            [
                "Base", "SIP", "SIPStack", "STUN", "STUNStack", "DNS", "DNSClient", "Packet", "Capture", "NAT", "ALG", "TCP",
                "Codecs", "MediaControl", "Relay", "MediaPlane", "VirtualNetwork", "RegistrationClient", "ServerNode",
                "PhoneNode", "RouterNode", "Lab",
            ]),
        tests("World", "World", ["ServerNode", "World"]),
        tests(
            "Analysis", "Analysis", ["Base", "DNS", "SIP", "Packet", "TLS", "Capture", "RTP", "Analysis", "Fixtures"],
            exclude: ["README.md"]),
        tests(
            "ShowLab", "Show/Lab",
            [
                "Base", "SIP", "Packet", "Capture", "SIPStack", "NAT", "ALG", "VirtualNetwork", "ServerNode", "PhoneNode",
                "RouterNode", "Lab", "Analysis", "ShowText", "ShowLab", "LabAnalysis", "Fixtures",
            ], exclude: ["Demo"]),
        tests(
            "AudioCodecs", "Edges/AudioCodecs",
            ["Base", "RTP", "Codecs", "MediaControl", "Conference", "AudioCodecs"]),
        tests("ShowRouter", "Show/Router", ["Base", "Packet", "NAT", "ALG", "RouterNode", "ShowText", "ShowRouter"]),
        tests("Configuration", "Edges/Configuration", ["Base", "Configuration"]),
        tests("Terminal", "Edges/Terminal", ["TerminalEdge"]),
        tests("Log", "Edges/Log", ["Base", "TerminalEdge", "LogEdge", logging]),
        tests("Router", "Edges/Router", ["Base", "Packet", "RouterEdge"]),
        tests("SRTP", "Edges/SRTP", ["Base", "RTP", "MediaControl", "Relay", "SRTP"]),
        tests(
            "Media", "Edges/Media",
            ["Base", "RTP", "MediaControl", "Relay", "MediaPlane", "LinuxEdge", "SRTP", "Media", "Waiting"]),
        tests("Recording", "Edges/Recording", ["Base", "Codecs", "Conference", "LinuxEdge", "Recording"]),
        tests("Speech", "Edges/Speech", ["Codecs", "Conference", "Speech"]),
        tests(
            "PhoneEdge", "Edges/PhoneEdge", ["Base", "Codecs", "LinuxEdge", "PhoneNode", "PhoneEdge", "ShowText", "Waiting"]),
        tests("Storage", "Edges/Storage", ["Base", "SIPStack", "ServerNode", "Storage"]),
        tests("Streams", "Edges/Streams", ["Base", "SIP", "Streams"]),
        tests(
            "Metrics", "Edges/Metrics",
            ["Base", "MetricsEdge", "Waiting", .product(name: "CoreMetrics", package: "swift-metrics")]),
        tests("HEP", "Edges/HEP", ["Base", "SIP", "RTP", "Capture", "MediaControl", "CallServer", "HEPEdge", "Waiting"]),
        tests(
            "Serve", "Edges/Serve",
            [
                "Base", "SIPStack", "ServerNode", "MediaControl", "PhoneNode", "LinuxEdge", "Storage", "Serve", "PhoneEdge",
                "MetricsEdge", "HEPEdge", "Configuration", "Waiting",
            ]),
        tests(
            "ServeDaemon", "Edges/ServeDaemon",
            ["Base", "SIP", "SIPStack", "ServerNode", "LinuxEdge", "Serve", "LogEdge", "ShowText", "TerminalEdge", "ServeDaemon"]),
    ]
)
