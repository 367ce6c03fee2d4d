import Base
import Capture

/// What one kind of box does to the messages that cross it, as data: for telling which box was at work.
///
/// After documented behaviour; where nothing is known of a detail, the usual rewriting is assumed.
struct BoxProfile: Sendable {
    struct Rule: Sendable {
        enum Scope: Sendable {
            /// Address and port are those of the packet (no port counts as 5060).
            case endpoint
            /// The address is that of the packet.
            case address
            /// Whatever stands there.
            case anything
        }

        enum Form: Sendable { case addressAndPort, addressOnly, any }
        enum Way: Sendable { case both, outbound, inbound }

        var field: SideField
        var scope: Scope
        var form: Form
        var way: Way

        init(_ field: SideField, _ scope: Scope = .endpoint, _ form: Form = .addressAndPort, _ way: Way = .both) {
            self.field = field
            self.scope = scope
            self.form = form
            self.way = way
        }
    }

    var name: String
    var rules: [Rule]
    /// Read in source, or seen in captures.
    var isProved = false
    /// Counts Content-Length anew.
    var recounts = false
    /// Looks at the parameters of Via only where sent-by is the packet's own end.
    var ownViaOnly = false
    /// A REGISTER makes it open a port of its own for the registrar, which Contact then names, whatever port stood there.
    var opensForRegistrar = false
    /// o= takes the address of the last medium, which may be a hold's 0.0.0.0 or another host's, not the box's own.
    var originFollowsMedia = false
    /// Adds a Via and does what else a proxy does.
    var isProxy = false
    /// Its entry in the table of devices.
    var device: String?

    func rule(for field: SideField) -> Rule? { rules.first { $0.field == field } }

    /// What of the whole message matters for an item of it.
    struct Context: Sendable {
        var path: SidePath
        var isRegister: Bool
        /// The topmost Via is that of the end that is translated.
        var hasOwnVia: Bool
        /// What c= lines name once the box is done.
        var connections: [PackedAddress]

        init(_ difference: SideDifference) {
            path = difference.path
            isRegister = difference.before.isRegister
            let via = difference.before.items.first { $0.field == .via }?.host
            hasOwnVia = via?.kind == .address && via?.address == path.old.address && via?.portOrDefault == path.old.port
            connections = difference.after.items.compactMap {
                $0.field == .sdpConnection && $0.host.kind == .address ? $0.host.address : nil
            }
        }
    }

    /// Whether it would change an item of a message.
    func wouldChange(_ item: SideItem, in context: Context) -> Bool {
        let path = context.path
        if context.isRegister, opensForRegistrar, path.isOutbound, item.field == .contact, item.occurrence == 0 {
            return item.host.kind == .address && item.host.address == path.old.address && path.old.address != path.new.address
        }
        // Only the topmost Via, and its parameters with it.
        guard let rule = rule(for: item.field), item.field != .via || item.occurrence == 0 else { return false }
        if ownViaOnly, !context.hasOwnVia, item.field == .viaReceived || item.field == .viaRport || item.field == .viaMaddr {
            return false
        }
        switch rule.way {
        case .both: break
        case .outbound: if !path.isOutbound { return false }
        case .inbound: if path.isOutbound { return false }
        }
        switch rule.scope {
        case .anything: return true
        case .address:
            return item.host.kind == .address && item.host.address == path.old.address && path.old.address != path.new.address
        case .endpoint:
            if item.field == .viaRport { return item.host.port == path.old.port && path.old.port != path.new.port }
            guard item.host.kind == .address, item.host.address == path.old.address, item.host.portOrDefault == path.old.port
            else {
                return false
            }
            return path.old.address != path.new.address
                || (rule.form == .addressAndPort && item.host.portOrDefault != path.new.port)
        }
    }

    /// Whether it would have made exactly this of it.
    func explains(_ item: SideItem, becoming other: SideItem, in context: Context) -> Bool {
        let path = context.path
        guard wouldChange(item, in: context), let rule = rule(for: item.field) else { return false }
        if case .anything = rule.scope { return true }
        if item.field == .viaRport { return other.host.port == path.new.port }
        if originFollowsMedia, item.field == .sdpOrigin, other.host.kind == .address,
            context.connections.contains(other.host.address)
        {
            return true
        }
        guard other.host.kind == .address, other.host.address == path.new.address else { return false }
        if context.isRegister, opensForRegistrar, item.field == .contact { return other.host.port != 0 }
        switch rule.form {
        case .any: return true
        case .addressAndPort: return other.host.port == path.new.port
        case .addressOnly: return other.host.port == item.host.port
        }
    }

    private static let session = [
        Rule(.sdpConnection, .address, .addressOnly, .outbound), Rule(.sdpOrigin, .address, .addressOnly, .outbound),
    ]

    /// Those with evidence first: of equal fits the first wins.
    static let known: [BoxProfile] = [
        BoxProfile(
            name: "Linux nf_nat_sip",
            rules: [
                Rule(.requestURI), Rule(.via), Rule(.viaMaddr, .address, .addressOnly, .outbound),
                Rule(.viaReceived, .address, .addressOnly, .inbound), Rule(.viaRport, .endpoint, .any, .inbound), Rule(.contact),
                Rule(.from), Rule(.to),
            ] + session, isProved: true, recounts: true, ownViaOnly: true, opensForRegistrar: true,
            originFollowsMedia: true,
            device: "Linux (nf_conntrack_sip)"),
        BoxProfile(
            name: "SafeNet QuickSec based box",
            rules: [
                Rule(.requestURI), Rule(.via), Rule(.contact), Rule(.from), Rule(.to), Rule(.callID, .address, .addressOnly),
            ] + session, isProved: true, recounts: true),
        BoxProfile(
            name: "SpeedTouch 780", rules: [Rule(.via), Rule(.contact)], device: "SpeedTouch 780"),
        BoxProfile(
            name: "Juniper (Junos)",
            rules: [Rule(.requestURI), Rule(.via), Rule(.contact), Rule(.callID, .address, .addressOnly)] + session,
            recounts: true,
            device: "Juniper SRX"),
        BoxProfile(
            name: "Cisco ASA",
            rules: [Rule(.via), Rule(.contact), Rule(.sdpConnection, .address, .addressOnly, .outbound)], recounts: true,
            device: "Cisco ASA"),
        BoxProfile(
            name: "Cisco IOS", rules: [Rule(.via), Rule(.contact), Rule(.authorization, .anything, .any, .outbound)] + session,
            recounts: true, device: "Cisco IOS"),
        BoxProfile(
            name: "WatchGuard", rules: [Rule(.via), Rule(.contact), Rule(.userAgent, .anything, .any, .outbound)] + session,
            recounts: true, device: "WatchGuard"),
        BoxProfile(
            name: "Microsoft Forefront TMG", rules: [Rule(.viaRport, .anything, .any, .inbound)]),
        BoxProfile(
            name: "a helper that writes addresses without ports",
            rules: [
                Rule(.via, .address, .addressOnly), Rule(.contact, .address, .addressOnly),
                Rule(.requestURI, .address, .addressOnly),
            ] + session, recounts: true),
        BoxProfile(
            name: "a helper that changes branches",
            rules: [Rule(.via), Rule(.contact), Rule(.viaBranch, .anything, .any)] + session,
            recounts: true),
        BoxProfile(name: "a helper that rewrites Contact alone", rules: [Rule(.contact)]),
        BoxProfile(name: "a helper that rewrites Via alone", rules: [Rule(.via)]),
        BoxProfile(name: "a helper that rewrites session descriptions alone", rules: session, recounts: true),
        BoxProfile(name: "a proxy-style helper", rules: [Rule(.maxForwards, .anything, .any, .outbound)], isProxy: true),
    ]
}

/// Counts for each known box how much of what was changed, and left alone, it explains.
struct BoxScore {
    private var explained = [Int](repeating: 0, count: BoxProfile.known.count)
    private var contradicted = [Int](repeating: 0, count: BoxProfile.known.count)
    private var changes = 0

    /// One message that crossed the box, changed or not.
    mutating func note(_ difference: SideDifference) {
        let context = BoxProfile.Context(difference)
        var others: [SideField: [SideItem]] = [:]
        for item in difference.after.items { others[item.field, default: []].append(item) }
        let viaAdded = difference.before.viaCount != difference.after.viaCount
        var lineChanged = false
        for item in difference.before.items {
            if viaAdded, item.field == .via || item.field == .viaBranch || item.field == .viaReceived || item.field == .viaRport {
                continue
            }
            if item.field == .contentLength { continue }
            let other = others[item.field].flatMap { item.occurrence < $0.count ? $0[item.occurrence] : nil }
            let isChanged = other?.value != item.value
            if isChanged {
                changes += 1
                if item.field.isOfBody { lineChanged = true }
            }
            for (number, profile) in BoxProfile.known.enumerated() {
                if isChanged, let other {
                    if profile.explains(item, becoming: other, in: context) { explained[number] += 1 }
                } else if !isChanged, profile.wouldChange(item, in: context) {
                    contradicted[number] += 1
                }
            }
        }
        if viaAdded { count { $0.isProxy } }
        for change in difference.changes where change.field == .contentLength && lineChanged {
            count { profile in change.kind == .recounted && profile.recounts }
        }
    }

    private mutating func count(_ explains: (BoxProfile) -> Bool) {
        changes += 1
        for (number, profile) in BoxProfile.known.enumerated() where explains(profile) { explained[number] += 1 }
    }

    /// The best first; those that explain nothing are left out.
    var fits: [(profile: BoxProfile, fit: BoxFit)] {
        let all = BoxProfile.known.enumerated().compactMap {
            number, profile -> (number: Int, profile: BoxProfile, fit: BoxFit)? in
            guard explained[number] > 0 else { return nil }
            return (
                number, profile,
                BoxFit(
                    box: profile.name, explained: explained[number], changes: changes, contradicted: contradicted[number],
                    isProved: profile.isProved)
            )
        }
        return all.sorted { ($0.fit.share, -$0.number) > ($1.fit.share, -$1.number) }.map { ($0.profile, $0.fit) }
    }
}
