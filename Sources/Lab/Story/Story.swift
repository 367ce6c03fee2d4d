import Base
import NAT
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// The story of 2007 in three acts: a phone that uses STUN, behind a router whose SIP ALG has ideas of its own.
///
/// Nothing in it is scripted but who stands where, when the phone is switched on, and what is typed at the router: the jumping
/// ports, the stale answer and the cure come out of the boxes' own rules.
public struct Story: Sendable {
    public enum Act: Int, Hashable, Sendable, CaseIterable {
        /// The seed's phone, router and server: "Authorization error", again at each STUN tick.
        case failure = 1
        /// The same network with Pinhole's own server: it registers all the same.
        case ownServer
        /// The first act's network, the ALG switched off at the router's command line: all is stable.
        case cure

        public var title: String {
            switch self {
            case .failure: "A phone with STUN behind a router with a SIP ALG"
            case .ownServer: "The same network, another server"
            case .cure: "The ALG switched off"
            }
        }

        /// What is set up before it begins.
        public var setting: String {
            switch self {
            case .failure:
                "The phone asks a STUN server how the world sees it, and registers anew when that is not what its Contact says."
                    + " The router gives each SIP transaction a mapping of its own and holds answers back for 200 ms."
                    + " The server (profile chan_sip, nat=yes) keeps one nonce a dialog."
            case .ownServer:
                "Phone and router as before. Pinhole's own server accepts any nonce of its making that has not expired."
            case .cure:
                "Back to the first act's server."
                    + " At the router's command line the ALG is looked up, switched off, and looked up again."
            }
        }
    }

    /// One act as it went.
    public struct Chapter: Sendable {
        public var act: Act
        /// As it stood at the act's end.
        public var world: LabWorld
        public var stage: Stage
        /// What happened in this act alone.
        public var records: [LabRecord]
        public var ledger: RegistrationLedger
        /// When the act began; times are told from here.
        public var start: Instant
        /// In one line, drawn from what happened.
        public var outcome: String
    }

    /// Who plays.
    public struct Stage: Hashable, Sendable {
        public var phone: BoxID
        public var router: BoxID
        public var server: BoxID
        public var stunServer: BoxID
        public var home: LinkID
        public var internet: LinkID
        public var aor: AddressOfRecord
    }

    /// The phone's STUN interval in the story: its ticks set the pace of the failures.
    public static let stunInterval = Duration.seconds(300)
    /// The router's command lines of the third act, in the order typed.
    public static let commands = [
        "connection appinfo application=SIP",
        "connection appconfig application=SIP SIP_ALG=disabled",
        "connection appinfo application=SIP",
        "saveall",
    ]

    public var seed: UInt64
    /// Whether each link is recorded, for `LabWorld.captures`.
    public var isRecorded: Bool

    public init(seed: UInt64 = 2007, isRecorded: Bool = false) {
        self.seed = seed
        self.isRecorded = isRecorded
    }

    /// Plays all three acts.
    public func play() -> [Chapter] {
        let first = play(.failure)
        return [first, play(.ownServer), cure(after: first)]
    }

    /// Plays one act; the third plays the first before it, unheard.
    public func play(_ act: Act) -> Chapter {
        switch act {
        case .failure:
            var chanSIP = ServerSettings.chanSIP(natHandling: true)
            // `qualify`: keeps the mappings of registered phones alive. Here nobody registers, so there is none to keep.
            chanSIP.keepalive.interval = .seconds(25)
            return perform(act, chanSIP)
        case .ownServer: return perform(act, ServerSettings())
        case .cure: return cure(after: play(.failure))
        }
    }

    private func perform(_ act: Act, _ settings: ServerSettings) -> Chapter {
        var (world, stage) = build(settings)
        let start = world.now
        world.schedule(.start(stage.phone), at: start)
        // Three STUN ticks, and what comes of them.
        world.run(until: start + Self.stunInterval * 3 - .seconds(60))
        return chapter(act, &world, stage, from: start)
    }

    /// Goes on where the first act ended.
    private func cure(after first: Chapter) -> Chapter {
        var world = first.world
        let start = world.now
        for (index, line) in Self.commands.enumerated() {
            world.schedule(.command(first.stage.router, line), at: start + .seconds(5 * Int64(index + 1)))
        }
        world.run(until: start + .seconds(3_600))
        return chapter(.cure, &world, first.stage, from: start)
    }

    /// The network of 2007: a LAN with one phone, the router, and beyond it a SIP server and a STUN server, 40 ms away and back.
    private func build(_ settings: ServerSettings) -> (LabWorld, Stage) {
        var world = LabWorld(seed: seed)
        let home = world.addLink("home", LinkProperties(latency: .microseconds(500)), isRecorded: isRecorded)
        let internet = world.addLink("internet", LinkProperties(latency: .microseconds(19_500)), isRecorded: isRecorded)
        let phoneAddress = IPAddress.v4(IPv4Address(192, 168, 1, 64))
        let routerAddress = IPv4Address(192, 168, 1, 254)
        let serverAddress = IPAddress.v4(IPv4Address(203, 0, 113, 5))
        let stunAddress = IPAddress.v4(IPv4Address(198, 51, 100, 3))
        let user = "300"
        let password = "teleconference"
        let phone = world.addPhone(
            "phone",
            .seed(
                identity: PhoneSettings.Identity(user: user, password: password, registrar: serverAddress.description),
                local: Endpoint(phoneAddress, 5060), stunServer: PhoneSettings.STUNServer(host: stunAddress.description)),
            on: home, [HostStack.HostAddress(phoneAddress, prefixLength: 24, gateway: .v4(routerAddress))])
        let router = world.addRouter(
            .speedtouch780(name: "router", lan: routerAddress, wan: IPv4Address(192, 0, 2, 80)), lan: home, wan: internet)
        let account = Account(username: user, realm: settings.realm, password: password)
        let server = world.addServer(
            "server", settings, accounts: [account], on: internet, [HostStack.HostAddress(serverAddress, prefixLength: 0)])
        let stunServer = world.addSTUNServer("stun", on: internet, [HostStack.HostAddress(stunAddress, prefixLength: 0)])
        let stage = Stage(
            phone: phone, router: router, server: server, stunServer: stunServer, home: home, internet: internet,
            aor: AddressOfRecord(user: user, domain: settings.domains.first ?? settings.realm))
        return (world, stage)
    }

    private func chapter(_ act: Act, _ world: inout LabWorld, _ stage: Stage, from start: Instant) -> Chapter {
        let records = world.takeRecords()
        let ledger = RegistrationLedger(records)
        return Chapter(
            act: act, world: world, stage: stage, records: records, ledger: ledger, start: start,
            outcome: Self.outcome(ledger, world.status(of: stage.phone)))
    }

    private static func outcome(_ ledger: RegistrationLedger, _ status: PhoneStatus?) -> String {
        let stale = ledger.verdicts.filter(\.isStale).count
        let accepted = ledger.verdicts.filter(\.isAccepted).count
        let ports = Set(ledger.registers.map(\.source.port)).count
        let panel = status?.panel ?? "off"
        let said =
            "\(ledger.registers.count) REGISTERs from \(ports) port\(ports == 1 ? "" : "s"): \(accepted) accepted,"
            + " \(stale) with the right password over a stale nonce"
        return "The panel says \"\(panel)\". \(said)."
    }
}
