import ArgumentParser
import Base
import Foundation
import RouterNode

/// What a router is and offers its inside, wherever it runs.
struct RouterOptions: ParsableArguments {
    @Option(help: "Whose NAT and ALG it has: \(RouterOptions.profiles.joined(separator: ", ")).")
    var profile = "speedtouch780"

    @Flag(inversion: .prefixedNo, help: "Begin with the SIP ALG on.")
    var alg = true

    @OptionGroup(title: "NAT") var behaviour: RouterNATOptions

    @Option(help: ArgumentHelp("Its address inside, and how many bits name the inside.", valueName: "address/bits"))
    var insideAddress = "192.168.1.254/24"

    @Option(help: ArgumentHelp("Where its command line is reached, or off.", valueName: "path"))
    var control = RouterOptions.control

    private static let profiles = ["speedtouch780", "linux", "generic"]

    /// Where nobody else of this machine puts anything.
    static let control: String = {
        if geteuid() == 0 { return "/run/pinhole-router.sock" }
        let directory = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"] ?? NSHomeDirectory()
        return "\(directory)/pinhole-router.sock"
    }()

    /// nil: it is not to be reached.
    var controlPath: String? { control == "off" ? nil : control }

    /// How to reach it, for people.
    var controlHint: String {
        guard let controlPath else { return "" }
        return " Its command line: pinhole router cli" + (controlPath == Self.control ? "" : " --control \(controlPath)") + "."
    }

    /// `wan`: its outside address; nil: by DHCP.
    func settings(wan: IPv4Address?) throws -> RouterSettings {
        let (lan, bits) = try hostAddress(insideAddress, "--inside-address")
        var settings: RouterSettings
        switch profile {
        case "speedtouch780": settings = .speedtouch780(lan: lan, wan: wan ?? .any)
        case "linux": settings = .linux(lan: lan, wan: wan ?? .any)
        case "generic":
            settings = .generic(lan: lan, wan: wan ?? .any, mapping: .endpointIndependent, filtering: .addressDependent)
        default: throw ValidationError("--profile \(profile): there are \(Self.profiles.joined(separator: ", ")).")
        }
        settings.lanPrefix = IPPrefix(.v4(lan), length: bits)
        settings.isALGEnabled = alg
        if settings.nat != nil { try behaviour.apply(to: &settings.nat!) }
        return settings
    }
}

/// An address that a host may have, and the bits of its network; `flag`: where it was given.
func hostAddress(_ text: String, _ flag: String) throws -> (IPv4Address, Int) {
    guard text.contains("/"), let prefix = IPPrefix(text), case .v4(let address)? = IPAddress(text.prefix { $0 != "/" }) else {
        throw ValidationError("\(flag) \(text): an IPv4 address with its bits is wanted, such as 192.168.1.254/24.")
    }
    guard (1...30).contains(prefix.length) else {
        throw ValidationError("\(flag) \(text): from 1 to 30 bits name a network with room for others.")
    }
    let host = address.bits & UInt32.max >> UInt32(prefix.length)
    guard host != 0, host != UInt32.max >> UInt32(prefix.length) else {
        throw ValidationError("\(flag) \(text): the first and the last address of a network are nobody's.")
    }
    return (address, prefix.length)
}
