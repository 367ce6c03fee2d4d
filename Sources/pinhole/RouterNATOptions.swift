import ArgumentParser
import NAT

/// How the router's NAT maps and filters, in the words of RFC 4787, whatever its profile does.
struct RouterNATOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What an outside port depends on besides the inside endpoint: \(Self.names). Without: as the profile does.",
            valueName: "dependence"))
    var mapping: String?

    @Option(help: ArgumentHelp("What decides who may come in through it: one of the same.", valueName: "dependence"))
    var filtering: String?

    private static let known: KeyValuePairs<String, Dependence> = [
        "endpoint-independent": .endpointIndependent, "address-dependent": .addressDependent,
        "address-and-port-dependent": .addressAndPortDependent,
    ]

    private static var names: String { known.map(\.key).joined(separator: ", ") }

    func apply(to nat: inout NATSettings) throws {
        if let mapping { nat.mapping = try dependence(mapping, "--mapping") }
        if let filtering { nat.filtering = try dependence(filtering, "--filtering") }
    }

    private func dependence(_ text: String, _ option: String) throws -> Dependence {
        guard let found = Self.known.first(where: { $0.key == text })?.value else {
            throw ValidationError("\(option) \(text): there are \(Self.names) (RFC 4787).")
        }
        return found
    }
}
