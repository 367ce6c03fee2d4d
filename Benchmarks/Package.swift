// swift-tools-version:6.2
import PackageDescription

// Driven by scripts/bench and scripts/bench-media; the programs they are compared with are C files in `C`, compiled there.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "pinhole", path: "..")],
    targets: [
        .target(name: "CSockets", path: "Sources/CSockets"),
        .executableTarget(
            name: "pinhole-bench",
            dependencies: [
                "CSockets", .product(name: "PinholeCore", package: "pinhole"), .product(name: "PinholeAudio", package: "pinhole"),
            ],
            path: "Sources/PinholeBench", swiftSettings: settings),
        .executableTarget(
            name: "relay-bench", dependencies: [.product(name: "PinholeMedia", package: "pinhole")],
            path: "Sources/RelayBench", swiftSettings: settings),
    ]
)
