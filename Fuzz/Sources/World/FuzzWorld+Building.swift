import ALG
import Base
import Lab
import NAT
import PhoneNode
import RouterNode
import SIPStack
import ServerNode
import VirtualNetwork

/// The stage: one server; alice behind a router with a helper, bob behind another that maps each destination apart, carol with an address of her
/// own over TCP; a scripted SIP endpoint with an account, and a stranger without.
extension FuzzWorld {
    static let phoneCount = 3
    static let routerCount = 2
    static let linkCount = 3

    struct Places: Sendable {
        var links: [LinkID]
        var phones: [BoxID]
        var routers: [BoxID]
        var server: BoxID
        var endpoint: BoxID
        var stranger: BoxID
    }

    static func build(_ world: inout LabWorld, _ variant: Variant) -> Places {
        var properties = LinkProperties(latency: .milliseconds(variant.isSlow ? 120 : 10))
        if variant.isSlow { properties.jitter = .milliseconds(40) }
        let internet = world.addLink("internet", properties)
        let homes = ["home", "office"].map { world.addLink($0) }
        let routers = zip([home(variant), office], homes).map { world.addRouter($0, lan: $1, wan: internet) }
        let server = world.addServer(
            "server", serverSettings(variant), accounts: accounts(variant), on: internet,
            [.init(.v4(Cast.server), prefixLength: 0)])
        world.scriptMedia(of: server)
        let phones = [
            world.addPhone("alice", alice(variant), on: homes[0], address(of: 0, at: 0).addresses),
            world.addPhone("bob", bob(variant), on: homes[1], address(of: 1, at: 0).addresses),
            world.addPhone("carol", carol(variant), on: internet, address(of: 2, at: 0).addresses),
        ]
        // Slower than the phones' retransmissions, and slow enough that a minute's call is cheap.
        for phone in phones { world.muffle(phone, pace: .milliseconds(400)) }
        let endpoint = world.addBareHost("dave", on: internet, [.init(.v4(Cast.endpoint), prefixLength: 0)], ports: [5060])
        let stranger = world.addBareHost(
            "stranger", on: internet, [.init(.v4(Cast.stranger), prefixLength: 0)], ports: [5060])
        return Places(
            links: [internet] + homes, phones: phones, routers: routers, server: server, endpoint: endpoint, stranger: stranger)
    }

    /// Where a phone stands after it roamed: two addresses at home, one at the other's, one of its own.
    static func address(of phone: Int, at place: Int) -> (link: Int, addresses: [HostStack.HostAddress]) {
        let own = UInt8(10 + phone)
        let home = phone == 2 ? 0 : phone + 1
        let (link, last): (Int, UInt8) =
            switch place {
            case 0: (home, own)
            case 1: (home, own + 100)
            case 2: (phone == 1 ? 1 : 2, own + 50)
            default: (0, own + 150)
            }
        guard link > 0 else { return (0, [.init(.v4(IPv4Address(198, 51, 100, last)), prefixLength: 0)]) }
        let gateway = IPAddress.v4(IPv4Address(192, 168, UInt8(link), 1))
        return (link, [.init(.v4(IPv4Address(192, 168, UInt8(link), last)), prefixLength: 24, gateway: gateway)])
    }

    static func accounts(_ variant: Variant, without missing: Int = Cast.users.count) -> [Account] {
        let realm = serverSettings(variant).realm
        return Cast.users.enumerated().filter { $0.offset != missing }.map { _, user in
            Account(username: user, realm: realm, password: user, wantsDirectMedia: variant.wantsDirectMedia)
        }
    }

    // MARK: Settings

    private static func home(_ variant: Variant) -> RouterSettings {
        let lan = IPv4Address(192, 168, 1, 1)
        let wan = IPv4Address(198, 51, 100, 1)
        switch variant.helper {
        case 0: return .speedtouch780(name: "home router", lan: lan, wan: wan)
        case 1: return .linux(name: "home router", lan: lan, wan: wan)
        default:
            return .generic(name: "home router", lan: lan, wan: wan, mapping: .endpointIndependent, filtering: .addressDependent)
        }
    }

    private static var office: RouterSettings {
        let lan = IPv4Address(192, 168, 2, 1)
        return .linux(name: "office router", lan: lan, wan: IPv4Address(198, 51, 100, 2), alg: false)
    }

    static func serverSettings(_ variant: Variant) -> ServerSettings {
        var settings = variant.isChanSIP ? ServerSettings.chanSIP(natHandling: true) : ServerSettings()
        settings.isPersistent = variant.isPersistent && !variant.isChanSIP
        settings.nonceKey = Array(repeating: 7, count: 32)
        // Short, so that all that lasts is over soon.
        settings.expiry.usual = 300
        settings.expiry.longest = 300
        settings.calls.session = SessionTimer.Settings(interval: 90)
        settings.calls.shortestSubscription = 30
        settings.calls.longestSubscription = 120
        settings.calls.ringFor = .seconds(30)
        settings.calls.setupLimit = .seconds(60)
        settings.calls.anonymousCalls = variant.allowsStrangers
        settings.calls.srtpAvailable = variant.hasSRTP
        settings.calls.rooms = [.init(name: "8001", pin: "42", owner: "alice")]
        settings.calls.pickupGroups = [["alice", "bob", "dave"]]
        settings.limits.attempts = 8
        settings.limits.sources = 8
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 2, burst: 8)
        if variant.isSmall {
            settings.limits.calls = 3
            settings.limits.callsPerAccount = 2
            settings.limits.subscriptions = 3
            settings.limits.bindings = 4
            settings.limits.contactsPerAOR = 2
            settings.limits.serverTransactions = 8
            settings.limits.callTransactions = 6
            settings.limits.clientTransactions = 2
            settings.limits.replyOctets = 4_096
            settings.limits.legsPerCall = 4
            settings.limits.pendingCommits = 2
        }
        return settings
    }
}
