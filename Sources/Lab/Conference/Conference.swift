import Base
import NAT
import PhoneNode
import RouterNode
import ServerNode
import VirtualNetwork

/// Three phones behind three different routers in one conference room, one of them on IPv6 alone: does each hear the other two?
///
/// Nothing is arranged for the sound but that each phone plays a tone of its own. What the others hear is measured where they would
/// play it.
public struct Conference: Sendable {
    /// One who takes part.
    public struct Seat: Hashable, Sendable {
        public var phone: BoxID
        public var router: BoxID
        public var user: String
        /// Hz; what the phone plays.
        public var tone: Int
        /// How the router treats it, in words.
        public var behind: String
        /// How it speaks SIP, in words.
        public var speaks: String
    }

    /// How it went.
    public struct Outcome: Sendable {
        /// As it stood at the end, all calls over.
        public var world: LabWorld
        public var server: BoxID
        public var seats: [Seat]
        public var records: [LabRecord]
        public var start: Instant
        /// When all were in the room and nobody came or went.
        public var measured: ClosedRange<Instant>
        /// A row a listener: how loud each seat's tone was there, root mean square; nil: it has no call.
        public var levels: [[Double?]]
        /// A row a listener: when each seat's tone was heard first and last; nil: never.
        public var spans: [[ClosedRange<Instant>?]]

        /// Whether `listener` heard the tone of `speaker` while all were there.
        public func hears(_ listener: Int, _ speaker: Int) -> Bool { (levels[listener][speaker] ?? 0) >= Conference.audible }

        /// Each hears all others and not itself.
        public var isComplete: Bool {
            seats.indices.allSatisfy { listener in
                seats.indices.allSatisfy { hears(listener, $0) == (listener != $0) }
            }
        }

        /// The server's record of a seat's call.
        public func record(of seat: Int) -> CallRecord? {
            world.callRecords(of: server).first { $0.from.hasPrefix("\(seats[seat].user)@") }
        }
    }

    public static let room = "8000"
    /// Root mean square; a phone's tone has 5657. Below this it is not heard well enough to count.
    public static let audible = 1_000.0

    public var seed: UInt64
    /// Whether each link is recorded, for `LabWorld.captures`.
    public var isRecorded: Bool

    public init(seed: UInt64 = 2007, isRecorded: Bool = false) {
        self.seed = seed
        self.isRecorded = isRecorded
    }

    /// The phones register, dial the room one after the other, stay, and leave one after the other.
    public func hold() -> Outcome {
        var stage = ConferenceStage(seed: seed, isRecorded: isRecorded)
        let start = stage.world.now
        for (index, seat) in stage.seats.enumerated() {
            stage.world.schedule(.start(seat.phone), at: start + .milliseconds(100) * Int64(index))
            let request = CallRequest(
                id: PhoneCallID(1), target: Self.room, play: .tone(seat.tone), duration: .milliseconds(8_000 - 500 * Int64(index))
            )
            stage.world.schedule(.phone(seat.phone, .call(request)), at: start + .milliseconds(2_000 + 1_000 * Int64(index)))
        }
        // The third is in the room after 4.3 s, its entry tone over half a second later; the first leaves after 10 s.
        let measured = (start + .milliseconds(6_500))...(start + .milliseconds(9_500))
        stage.world.run(until: start + .seconds(16))
        return outcome(&stage, start, measured)
    }

    private func outcome(_ stage: inout ConferenceStage, _ start: Instant, _ measured: ClosedRange<Instant>) -> Outcome {
        let calls = stage.seats.map { stage.world.calls(of: $0.phone).first }
        let levels = calls.map { call in
            stage.seats.map { call?.heard.level(of: $0.tone, from: measured.lowerBound, to: measured.upperBound) }
        }
        let spans = calls.map { call in stage.seats.map { call?.heard.span(of: $0.tone) } }
        let records = stage.world.takeRecords()
        return Outcome(
            world: stage.world, server: stage.server, seats: stage.seats, records: records, start: start, measured: measured,
            levels: levels, spans: spans)
    }
}

/// Who stands where.
private struct ConferenceStage {
    var world: LabWorld
    var server: BoxID
    var seats: [Conference.Seat] = []
    private let internet: LinkID
    private let isRecorded: Bool

    private static let serverV4 = IPAddress.v4(IPv4Address(203, 0, 113, 5))
    private static let serverV6 = IPAddress.v6(IPv6Address(high: 0x2001_0db8_0005_0000, low: 5))

    init(seed: UInt64, isRecorded: Bool) {
        self.isRecorded = isRecorded
        world = LabWorld(seed: seed, selection: [.phones, .servers, .routers, .losses])
        internet = world.addLink("internet", LinkProperties(latency: .microseconds(19_500)), isRecorded: isRecorded)
        let settings = ServerSettings()
        server = world.addServer(
            "server", settings,
            accounts: ["anna", "ben", "chloe"].map { Account(username: $0, realm: settings.realm, password: "teleconference") },
            on: internet, [Self.serverV4, Self.serverV6].map { HostStack.HostAddress($0, prefixLength: 0) })
        seatAnna()
        seatBen()
        seatChloe()
    }

    /// Behind the router of 2007, its helper on.
    private mutating func seatAnna() {
        let lan = IPv4Address(192, 168, 1, 254)
        let link = home("anna")
        let router = world.addRouter(
            .speedtouch780(name: "speedtouch", lan: lan, wan: IPv4Address(192, 0, 2, 80)), lan: link, wan: internet)
        seat(
            "anna", tone: 440, on: link, .v4(IPv4Address(192, 168, 1, 64)), prefix: 24, gateway: .v4(lan), router,
            behind: "SpeedTouch 780, SIP ALG on", speaks: "UDP, IPv4")
    }

    /// Behind a Linux box with its helper, which reads and rewrites SIP over TCP as well.
    private mutating func seatBen() {
        let lan = IPv4Address(192, 168, 2, 1)
        let link = home("ben")
        let router = world.addRouter(
            .linux(name: "linux", lan: lan, wan: IPv4Address(198, 51, 100, 20)), lan: link, wan: internet)
        seat(
            "ben", tone: 620, on: link, .v4(IPv4Address(192, 168, 2, 64)), prefix: 24, gateway: .v4(lan), router, transport: .tcp,
            codecs: ["PCMU"], behind: "Linux, symmetric NAT, nf_nat_sip on", speaks: "TCP, IPv4")
    }

    /// Knows no IPv4 at all.
    private mutating func seatChloe() {
        let lan = IPv6Address(high: 0x2001_0db8_0077_0001, low: 1)
        let link = home("chloe")
        var settings = RouterSettings(name: "ipv6", lan: IPv4Address(192, 168, 3, 1), wan: IPv4Address(198, 51, 100, 30))
        settings.nat = nil
        settings.lanIPv6 = lan
        settings.wanIPv6 = IPv6Address(high: 0x2001_0db8_00ff_0000, low: 0x77)
        settings.lanRoutes = [IPPrefix(.v6(lan), length: 64)]
        let router = world.addRouter(settings, lan: link, wan: internet)
        seat(
            "chloe", tone: 850, on: link, .v6(IPv6Address(high: 0x2001_0db8_0077_0001, low: 0x64)), prefix: 64, gateway: .v6(lan),
            router, behind: "IPv6 router, no NAT", speaks: "UDP, IPv6")
    }

    private mutating func home(_ user: String) -> LinkID {
        world.addLink("home of \(user)", LinkProperties(latency: .microseconds(500)), isRecorded: isRecorded)
    }

    private mutating func seat(
        _ user: String, tone: Int, on link: LinkID, _ address: IPAddress, prefix: Int, gateway: IPAddress, _ router: BoxID,
        transport: SIPTransport = .udp, codecs: [String] = ["PCMA", "PCMU"], behind: String, speaks: String
    ) {
        let registrar = address.isIPv6 ? Self.serverV6 : Self.serverV4
        let settings = PhoneSettings(
            identity: PhoneSettings.Identity(user: user, password: "teleconference", registrar: registrar.description),
            locals: [Endpoint(address, 5060)], transport: transport, calls: .init(codecs: codecs))
        let phone = world.addPhone(
            user, settings, on: link, [HostStack.HostAddress(address, prefixLength: prefix, gateway: gateway)])
        seats.append(
            Conference.Seat(phone: phone, router: router, user: user, tone: tone, behind: behind, speaks: speaks))
    }
}
