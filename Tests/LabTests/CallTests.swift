import ALG
import Base
import Lab
import NAT
import PhoneNode
import RouterNode
import ServerNode
import Testing
import VirtualNetwork

/// Phones that each stand behind a router of its own, and a server they all use.
struct Neighbourhood {
    var world: LabWorld
    let internet: LinkID
    let server: BoxID
    var phones: [BoxID] = []
    var routers: [BoxID] = []
    var homes: [LinkID] = []
    static let serverAddress = IPAddress("203.0.113.5")!

    init(
        seed: UInt64 = 1, users: [String], settings: ServerSettings = ServerSettings(), direct: Bool = false,
        records: RecordSelection = [.phones, .servers, .routers, .losses]
    ) {
        world = LabWorld(seed: seed, selection: records)
        internet = world.addLink("internet", LinkProperties(latency: .milliseconds(20)))
        server = world.addServer(
            "server", settings,
            accounts: users.map { Account(username: $0, realm: settings.realm, password: "secret", wantsDirectMedia: direct) },
            on: internet,
            [.init(Self.serverAddress, prefixLength: 0)], stun: .init())
    }

    /// `nat`: nil puts the phone on the Internet.
    mutating func addPhone(
        _ user: String, tone: Int, transport: SIPTransport = .udp, router settings: (IPv4Address, IPv4Address) -> RouterSettings?,
        change: (inout PhoneSettings) -> Void = { _ in }
    ) {
        let number = UInt8(phones.count + 1)
        let lan = IPv4Address(192, 168, number, 1)
        let wan = IPv4Address(192, 0, 2, 10 * number)
        let router = settings(lan, wan)
        let link = router == nil ? internet : world.addLink("home \(user)", LinkProperties(latency: .milliseconds(1)))
        let address = IPAddress.v4(router == nil ? wan : IPv4Address(192, 168, number, 64))
        var phone = PhoneSettings(
            identity: .init(user: user, password: "secret", registrar: Self.serverAddress.description),
            locals: [Endpoint(address, 5060)], transport: transport,
            calls: .init(answers: .auto(after: .seconds(1)), answerPlay: .tone(tone), symmetricRTP: true))
        change(&phone)
        phones.append(
            world.addPhone(
                user, phone, on: link,
                [.init(address, prefixLength: router == nil ? 0 : 24, gateway: router == nil ? nil : .v4(lan))]))
        if let router { routers.append(world.addRouter(router, lan: link, wan: internet)) }
        homes.append(link)
    }

    mutating func start() {
        for phone in phones { world.perform(.start(phone)) }
        world.run(until: world.now + .seconds(5))
    }

    mutating func call(_ index: Int, _ target: String, tone: Int, seconds: Int64 = 5) {
        let id = PhoneCallID(UInt64(index + 1))
        world.perform(.phone(phones[index], .call(.init(id: id, target: target, play: .tone(tone), duration: .seconds(seconds)))))
    }

    mutating func run(_ seconds: Int64) { world.run(until: world.now + .seconds(seconds)) }

    func call(_ index: Int) -> LabCall? { world.calls(of: phones[index]).last }

    /// Who hears which of `tones` now: a row a phone.
    func hearing(_ tones: [Int]) -> [[Bool]] { phones.indices.map { phone in tones.map { hears(phone, $0) } } }

    /// Whether a phone heard `tone` steadily in the second that ended `ago` before now.
    func hears(_ index: Int, _ tone: Int, before ago: Duration = .zero) -> Bool {
        let end = world.now - ago
        return (call(index)?.heard.level(of: tone, from: end - .seconds(1), to: end) ?? 0) >= ToneTranscript.threshold * 10
    }
}

/// The routers that phones are put behind.
enum Router: String, CaseIterable, Sendable {
    case open, cone, symmetric, speedtouch, linux, none

    func settings(_ lan: IPv4Address, _ wan: IPv4Address) -> RouterSettings? {
        switch self {
        case .open: .generic(lan: lan, wan: wan, mapping: .endpointIndependent, filtering: .endpointIndependent)
        case .cone: .generic(lan: lan, wan: wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent)
        case .symmetric: .generic(lan: lan, wan: wan, mapping: .addressAndPortDependent, filtering: .addressAndPortDependent)
        case .speedtouch: .speedtouch780(lan: lan, wan: wan)
        case .linux: .linux(lan: lan, wan: wan)
        case .none: nil
        }
    }
}

@Suite("calls between phones behind routers")
struct CallTests {
    @Test(
        "behind any two routers both hear each other through the server, and the call ends on both sides",
        arguments: Router.allCases, Router.allCases)
    func anyTwo(caller: Router, callee: Router) {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, router: caller.settings)
        town.addPhone("bob", tone: 620, router: callee.settings)
        town.start()
        town.call(0, "bob", tone: 440)
        town.run(5)
        let hearing = town.hearing([440, 620])
        #expect(hearing == [[false, true], [true, false]])
        town.run(10)
        let ends = (0..<2).map { town.call($0)?.report?.end }
        #expect(ends == [.hungUp, .hungUpByPeer])
        let records = town.world.callRecords(of: town.server)
        #expect(records.count == 1 && records[0].parties.allSatisfy { $0.streams.first?.verdict?.packetsReceived ?? 0 > 200 })
        let legs = town.world.mediaPlane(of: town.server)?.legCount
        #expect(legs == 0)
    }

    @Test(
        "signalling over TCP and over the stand-in for TLS carries calls as well, SIP helper or not",
        arguments: [SIPTransport.tcp, .tls], [Router.cone, .linux])
    func streams(transport: SIPTransport, router: Router) {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, transport: transport, router: router.settings)
        town.addPhone("bob", tone: 620, transport: transport, router: router.settings)
        town.start()
        town.call(0, "bob", tone: 440)
        town.run(5)
        let hearing = town.hearing([440, 620])
        #expect(hearing == [[false, true], [true, false]])
        town.run(10)
        let isSuccess = (0..<2).map { town.call($0)?.report?.isSuccess }
        #expect(isSuccess == [true, true])
    }

    @Test("the echo test, the tone and one's own address are there to be called")
    func services() {
        var town = Neighbourhood(users: ["alice"])
        town.addPhone("alice", tone: 440, router: Router.symmetric.settings)
        town.start()
        town.call(0, "600", tone: 770)
        town.run(5)
        let echo = town.hearing([770])
        #expect(echo == [[true]])
        town.run(5)
        town.world.perform(
            .phone(town.phones[0], .call(.init(id: PhoneCallID(9), target: "601", play: .tone(440), duration: .seconds(4)))))
        town.run(4)
        let tone = town.hearing([440])
        #expect(tone == [[true]])
    }

    @Test("three phones behind three kinds of router in one room: each hears both others and not itself")
    func room() {
        var town = Neighbourhood(users: ["alice", "bob", "carol"])
        town.addPhone("alice", tone: 440, router: Router.cone.settings)
        town.addPhone("bob", tone: 620, router: Router.speedtouch.settings)
        town.addPhone("carol", tone: 850, router: Router.linux.settings)
        town.start()
        let tones = [440, 620, 850]
        for index in 0..<3 { town.call(index, "8000", tone: tones[index], seconds: 20) }
        town.run(8)
        for listener in 0..<3 {
            for speaker in 0..<3 {
                #expect(town.hears(listener, tones[speaker]) == (listener != speaker), "\(listener) \(speaker)")
            }
        }
        let members = town.world.mediaPlane(of: town.server)?.members(of: "8000").count
        #expect(members == 3)
        town.run(30)
        let left = town.world.mediaPlane(of: town.server)?.members(of: "8000").count
        #expect(left == 0)
    }

    @Test("the same seed gives the same call to the octet")
    func determinism() {
        func run() -> [[UInt8]] {
            var town = Neighbourhood(seed: 4, users: ["alice", "bob"])
            town.world.record(town.internet)
            town.addPhone("alice", tone: 440, router: Router.speedtouch.settings)
            town.addPhone("bob", tone: 620, router: Router.linux.settings)
            town.start()
            town.call(0, "bob", tone: 440, seconds: 2)
            town.run(6)
            return town.world.captures.map(\.pcap)
        }
        let first = run()
        #expect(first[0].count > 50_000 && first == run())
    }

    @Test("on a line that loses a twentieth of everything the call comes about, and both hear each other all the same")
    func badLine() {
        for seed in 1...5 as ClosedRange<UInt64> {
            var town = Neighbourhood(seed: seed, users: ["alice", "bob"])
            town.world.perform(
                .properties(
                    town.internet,
                    LinkProperties(latency: .milliseconds(20), jitter: .milliseconds(15), loss: 0.05, duplication: 0.02)))
            town.addPhone("alice", tone: 440, router: Router.cone.settings)
            town.addPhone("bob", tone: 620, router: Router.symmetric.settings)
            town.start()
            town.run(60)
            town.call(0, "bob", tone: 440, seconds: 30)
            town.run(20)
            let hearing = town.hearing([440, 620])
            #expect(hearing == [[false, true], [true, false]], "seed \(seed)")
        }
    }
}
