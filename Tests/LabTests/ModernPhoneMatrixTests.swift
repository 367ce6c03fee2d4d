import ALG
import Base
import Lab
import NAT
import PhoneNode
import RouterNode
import ServerNode
import Testing
import VirtualNetwork

/// A current phone behind one router, for an hour in which nobody touches anything.
struct QuietHour: Sendable, CustomTestStringConvertible {
    enum Server: String, Sendable, CaseIterable {
        case pinhole
        case chanSIP = "chan_sip"
        /// chan_sip that answers STUN on its SIP port as well.
        case chanSIPWithSTUN = "chan_sip with STUN"

        func settings(natHandling: Bool) -> ServerSettings {
            var settings = ServerSettings()
            switch self {
            case .pinhole: settings.natHandling = natHandling
            case .chanSIP: settings = .chanSIP(natHandling: natHandling)
            case .chanSIPWithSTUN:
                settings = .chanSIP(natHandling: natHandling)
                settings.answersSTUN = true
            }
            return settings
        }
    }

    var server: Server
    var alg: ALGProfile
    var mapping: Dependence
    var asksSTUN: Bool
    var natHandling = true
    var udpTimer = Duration.seconds(30)

    var testDescription: String {
        "\(server.rawValue), ALG \(alg.name), \(mapping.name), STUN \(asksSTUN), NAT handling \(natHandling), \(udpTimer)"
    }

    /// Every pair of server and ALG with every kind of mapping, with and without STUN; the other settings take turns.
    static let sample: [QuietHour] = {
        var rows: [QuietHour] = []
        for server in Server.allCases {
            for alg in [ALGProfile.linux, .speedtouch780] {
                for mapping in Dependence.allCases {
                    for asksSTUN in [false, true] {
                        rows.append(
                            QuietHour(
                                server: server, alg: alg, mapping: mapping, asksSTUN: asksSTUN,
                                natHandling: rows.count % 4 < 2, udpTimer: .seconds(rows.count % 3 == 0 ? 300 : 30)))
                    }
                }
            }
        }
        return rows
    }()

    struct Outcome {
        var world: LabWorld
        let phone: BoxID
        let server: BoxID
        let aor: AddressOfRecord
        var everRegistered = false
        /// Panels other than "Registered" after the first such.
        var lapses: [String] = []
        var followed: [String] = []
        var contact: Endpoint?

        var mapping: PhoneStatus.Mapping? { world.status(of: phone)?.mapping }
        var isRegistered: Bool {
            world.status(of: phone)?.isRegistered == true && world.server(server)?.bindings(of: aor).isEmpty == false
        }

        mutating func run(for duration: Duration) {
            world.run(until: world.now + duration)
            for record in world.takeRecords() {
                switch record.trace {
                case .phone(.decided(let decision)):
                    if case .registers(_, _, let contact, let cause) = decision {
                        self.contact = contact
                        if case .mappingChanged = cause { followed.append("\(record.at): \(decision.text)") }
                    }
                case .status(let status):
                    if everRegistered, !status.isRegistered { lapses.append(status.panel) }
                    everRegistered = everRegistered || status.isRegistered
                default: continue
                }
            }
        }
    }

    static let phoneEndpoint = Endpoint("192.168.1.64:5060")!

    func started() -> Outcome {
        var world = LabWorld(seed: 2007, selection: [.phones])
        let home = world.addLink("home", LinkProperties(latency: .microseconds(500)))
        let internet = world.addLink("internet", LinkProperties(latency: .microseconds(19_500)))
        let gateway = IPv4Address(192, 168, 1, 254)
        let serverAddress = IPAddress("203.0.113.5")!
        let stunAddress = IPAddress("198.51.100.3")!
        let phone = world.addPhone(
            "phone",
            PhoneSettings(
                identity: .init(user: "300", password: "secret", registrar: serverAddress.description),
                locals: [Self.phoneEndpoint], stunServer: asksSTUN ? .init(host: stunAddress.description) : nil),
            on: home, [.init(Self.phoneEndpoint.address, prefixLength: 24, gateway: .v4(gateway))])
        var routerSettings = RouterSettings.generic(
            lan: gateway, wan: IPv4Address(192, 0, 2, 80), mapping: mapping, filtering: .addressAndPortDependent,
            udpIdle: udpTimer, alg: alg)
        routerSettings.nat?.ports.preservesPort = false
        routerSettings.nat?.ports.preservesParity = false
        routerSettings.nat?.ports.order = .descending(from: 52_899)
        _ = world.addRouter(routerSettings, lan: home, wan: internet)
        let settings = server.settings(natHandling: natHandling)
        let box = world.addServer(
            "server", settings, accounts: [Account(username: "300", realm: settings.realm, password: "secret")], on: internet,
            [.init(serverAddress, prefixLength: 0)])
        _ = world.addSTUNServer("stun", on: internet, [.init(stunAddress, prefixLength: 0)])
        world.perform(.start(phone))
        return Outcome(
            world: world, phone: phone, server: box, aor: AddressOfRecord(user: "300", domain: settings.realm))
    }
}

@Suite("A current phone behind the ALGs")
struct ModernPhoneMatrixTests {
    /// Two views that differ all the hour are no change, so nothing is followed. The one thing that moves is the STUN server's
    /// mapping where it is not SIP's and the NAT forgets it (30 s) before the server is asked again (120 s): the phone tries that
    /// once, then knows better.
    @Test(
        "a quiet hour: nothing is followed unless an observer's own view moves, then once; the phone stays registered",
        arguments: QuietHour.sample)
    func quietHour(row: QuietHour) {
        var outcome = row.started()
        outcome.run(for: .seconds(3_600))
        let isForgotten = row.asksSTUN && row.udpTimer < .seconds(120)
        #expect(outcome.followed.count <= (isForgotten ? 1 : 0), "\(outcome.followed)")
        #expect(outcome.lapses.isEmpty, "\(outcome.lapses)")
        #expect(outcome.isRegistered)
    }

    @Test(
        "behind nf_conntrack_sip the Contact stays the phone's own address, and the panel tells of the ALG",
        arguments: [false, true])
    func disguise(asksSTUN: Bool) {
        let row = QuietHour(server: .chanSIPWithSTUN, alg: .linux, mapping: .endpointIndependent, asksSTUN: asksSTUN)
        var outcome = row.started()
        outcome.run(for: .seconds(600))
        #expect(outcome.contact == QuietHour.phoneEndpoint)
        #expect(outcome.mapping?.registrar == QuietHour.phoneEndpoint)
        #expect(outcome.mapping?.registrarSTUN == Endpoint("192.0.2.80:52899"))
        let observer = asksSTUN ? "STUN" : "STUN on the registrar's SIP port"
        #expect(
            outcome.mapping?.disagreement
                == "\(observer) says 192.0.2.80:52899, the registrar sees 192.168.1.64:5060: something between rewrites SIP (a SIP ALG)"
        )
    }
}
