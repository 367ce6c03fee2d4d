import Base
import Capture

/// Calls that come in without a password, by who makes them and who takes or refuses them: a provider has none to give.
struct TrunkCalls: Sendable {
    struct Pair: Hashable, Sendable {
        var caller: PackedAddress
        var asker: PackedAddress
    }

    private static let most = 1 << 14
    /// Calling numbers of one address that no phone has.
    private static let fewestNumbers = 3

    /// Calling numbers that were asked for a password.
    private var numbers: [Pair: Set<UInt64>] = [:]
    /// Who was taken without one, by the domain of the calling numbers.
    private var taken: [PackedAddress: [UInt64: Set<PackedAddress>]] = [:]
    /// Who asks to be registered.
    private var registering: Set<PackedAddress> = []

    static func host(of name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        name.firstIndex(of: UInt8(ascii: "@")).map { name[($0 + 1)...] } ?? []
    }

    mutating func note(_ c: DialogCase, _ table: SignallingTable) {
        guard let leg = c.dialog.legs.first, registering.count < Self.most, taken.count < Self.most else { return }
        if c.dialog.kind == .registration { registering.insert(leg.client.address) }
        let host = Self.host(of: c.dialog.from)
        guard c.dialog.kind == .call, c.dialog.progress.contains(.answered), !host.isEmpty,
            !c.steps.contains(where: { $0.hasChallenge || $0.hasCredentials }),
            taken[leg.server.address, default: [:]].count < 64
        else { return }
        let name = host.withUnsafeBytes { $0.hash(Span(0, $0.count)) }
        taken[leg.server.address, default: [:]][name, default: []].insert(leg.client.address)
    }

    mutating func refuses(_ pair: Pair, _ number: UInt64) {
        guard numbers.count < Self.most || numbers[pair] != nil, numbers[pair, default: []].count < 64 else { return }
        numbers[pair, default: []].insert(number)
    }

    func registers(_ caller: PackedAddress) -> Bool { registering.contains(caller) }

    /// How many numbers call from that address; 0 where it looks like phones.
    func numbers(_ pair: Pair) -> Int {
        let count = numbers[pair]?.count ?? 0
        return count >= Self.fewestNumbers && !registering.contains(pair.caller) ? count : 0
    }

    /// Another address whose calls from the same domain are taken without a password.
    func sibling(_ pair: Pair, host: UInt64) -> PackedAddress? {
        guard !registering.contains(pair.caller) else { return nil }
        return taken[pair.asker]?[host]?.filter { $0 != pair.caller && !registering.contains($0) }.min { $0.low < $1.low }
    }

    static func remedy(_ asker: String, _ provider: String) -> Remedy {
        Remedy(
            .server,
            "Let \(asker) take calls of the provider \(provider) without a password: know it by its address.",
            commands: [
                "Asterisk pjsip: an identify section with match=\(provider), no inbound auth",
                "Asterisk chan_sip: insecure=invite,port",
                "FreeSWITCH: an acl list with that address, apply-inbound-acl",
            ])
    }
}

extension Judge {
    /// Lays a challenge that nobody answers at who asks a provider for a password; false where the caller may be a phone.
    func tellsTrunk(_ finding: inout Finding, _ pair: TrunkCalls.Pair, host: UInt64, asksAsServer: Bool) -> Bool {
        let sibling = trunkCalls.sibling(pair, host: host)
        let numbers = trunkCalls.numbers(pair)
        let asker = Self.name(PackedEndpoint(pair.asker, 0))
        let caller = Self.name(PackedEndpoint(pair.caller, 0))
        guard sibling != nil || numbers > 0 else {
            if asksAsServer, !trunkCalls.registers(pair.caller) {
                finding.details.append(
                    "\(caller) does not register with \(asker) here: a provider's trunk has no password to give.")
                finding.remedies.insert(TrunkCalls.remedy(asker, caller), at: 0)
            }
            return false
        }
        let sign =
            sibling.map { "and takes calls of \($0.address) from the same domain without one" }
            ?? "\(numbers) calling numbers in all"
        finding.summary =
            "\(asker) asks \(caller) for a password at each call from there, \(sign): \(caller) never gives one, as a provider's trunk has none to give."
        finding.remedies = [TrunkCalls.remedy(asker, caller)]
        if sibling != nil || asksAsServer {
            finding.culprit = .proved(asker)
        } else {
            finding.remedies.append(
                Remedy(.server, "Or, if \(asker) is the provider: enter the account's name and password at \(caller)."))
        }
        return true
    }
}
