import ALG
import Analysis
import Base
import Capture
import Lab
import LabAnalysis
import NAT
import Packet
import PhoneNode
import RouterNode
import ServerNode
import ShowLab
import Testing
import VirtualNetwork

/// What of a finding does not depend on how it was seen.
private struct Telling: Hashable {
    var name: FindingName
    var severity: Severity
    var summary: String

    init(_ finding: Finding) {
        name = finding.name
        severity = finding.severity
        summary = finding.summary
    }

    static func all(_ result: AnalysisResult) -> [Telling] { result.findings.map { Telling($0) } }

    /// What trace and capture have in common: a suspicion that rests on STUN not being seen is a note to a live tap, which sees none.
    static func shared(_ result: AnalysisResult) -> Set<Telling> {
        Set(
            all(result).map { telling in
                var telling = telling
                if telling.name == .algSuspected { telling.severity = .note }
                return telling
            })
    }
}

@Suite("the lab explained by the rules for anybody's captures")
struct LabExplanationTests {
    static let chapters = Story(isRecorded: true).play()

    private func captures(_ chapter: Story.Chapter, _ link: String? = nil) -> AnalysisResult {
        LabExplanation.ofCaptures(chapter.world.captures.filter { link == nil || $0.link == link })
    }

    @Test("the story's first act: the stale answer, the jumping port, and, seen from both sides, the rewriting, with nobody told")
    func failure() {
        let result = captures(Self.chapters[0])
        let names = result.findings.map(\.name)
        #expect(names.prefix(3) == [.authStaleOutOfOrder, .natPortJump, .algRewritten])
        #expect(result.verdict.contains("answered the older of two challenges"))
        let jump = result.findings[1].summary
        #expect(jump.contains("52899") && jump.contains("52896"))
    }

    @Test("the second act's server cures the stale answer, and not the jumping port")
    func ownServer() {
        let names = captures(Self.chapters[1]).findings.map(\.name)
        #expect(names.contains(.natPortJump) && !names.contains(.authStaleOutOfOrder))
    }

    @Test("what the server's traces give is what the capture of its link gives, act by act")
    func acts() {
        for index in 0..<2 {
            let chapter = Self.chapters[index]
            let traced = LabExplanation.ofTraces(chapter.records, of: chapter.stage.server, named: "server")
            let captured = captures(chapter, "internet")
            #expect(!traced.findings.isEmpty && Telling.all(traced) == Telling.all(captured))
            #expect(traced.counts.sip == captured.counts.sip)
        }
        // The third act goes on where the first ended, and so do its captures.
        let records = Self.chapters[0].records + Self.chapters[2].records
        let traced = LabExplanation.ofTraces(records, of: Self.chapters[2].stage.server, named: "server")
        #expect(Telling.all(traced) == Telling.all(captures(Self.chapters[2], "internet")))
    }

    /// One phone behind one router for ten minutes, and whatever it meets there.
    private func world(_ router: RouterSettings, stun: Bool, seed: Bool, chanSIP: Bool) -> (LabWorld, BoxID) {
        var world = LabWorld(seed: 5, selection: [.phones, .servers])
        let home = world.addLink("home")
        let internet = world.addLink("internet", LinkProperties(latency: .milliseconds(20)), isRecorded: true)
        let address = IPAddress("192.168.1.64")!
        let server = IPAddress("203.0.113.5")!
        let stunServer = PhoneSettings.STUNServer(host: "198.51.100.3")
        let identity = PhoneSettings.Identity(user: "300", password: "secret", registrar: server.description)
        var settings = PhoneSettings(identity: identity, locals: [Endpoint(address, 5060)], stunServer: stunServer)
        if seed { settings = .seed(identity: identity, local: Endpoint(address, 5060), stunServer: stunServer) }
        if !stun { settings.stunServer = nil }
        let phone = world.addPhone(
            "phone", settings, on: home, [.init(address, prefixLength: 24, gateway: .v4(router.lanAddress))])
        _ = world.addRouter(router, lan: home, wan: internet)
        let profile = chanSIP ? ServerSettings.chanSIP(natHandling: true) : ServerSettings()
        let box = world.addServer(
            "server", profile, accounts: [Account(username: "300", realm: profile.realm, password: "secret")], on: internet,
            [.init(server, prefixLength: 0)])
        _ = world.addSTUNServer("stun", on: internet, [.init(IPAddress("198.51.100.3")!, prefixLength: 0)])
        world.perform(.start(phone))
        world.run(until: world.now + .seconds(600))
        return (world, box)
    }

    /// The packets that the server sent and got: what others say to each other on its link is not in its sight.
    private func capture(of server: BoxID, in world: LabWorld) throws -> [UInt8] {
        let own = world.addresses(of: server)
        var tap = PcapWriter()
        for (at, packet) in try PcapFile(world.captures[0].pcap).packets {
            let parsed = try IPPacket(packet)
            if own.contains(parsed.source) || own.contains(parsed.destination) { tap.append(packet, at: at) }
        }
        return tap.bytes
    }

    @Test(
        "trace and capture agree for every kind of phone, server and router",
        arguments: ["speedtouch", "linux", "cone", "symmetric"], [false, true])
    func agreement(router: String, stun: Bool) throws {
        let wan = IPv4Address(192, 0, 2, 80)
        let lan = IPv4Address(192, 168, 1, 1)
        let settings: RouterSettings =
            switch router {
            case "speedtouch": .speedtouch780(lan: lan, wan: wan)
            case "linux": .linux(lan: lan, wan: wan)
            case "cone":
                .generic(lan: lan, wan: wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent)
            default:
                .generic(
                    lan: lan, wan: wan, mapping: .addressAndPortDependent, filtering: .addressAndPortDependent,
                    udpIdle: .seconds(30))
            }
        for seed in [false, true] {
            for chanSIP in [false, true] {
                let (world, server) = world(settings, stun: stun, seed: seed, chanSIP: chanSIP)
                let traced = LabExplanation.ofTraces(world.records, of: server, named: "server")
                let captured = LabExplanation.ofCaptures([("server", try capture(of: server, in: world))])
                #expect(traced.counts.sip > 3)
                #expect(Telling.shared(traced) == Telling.shared(captured), "seed \(seed), chan_sip \(chanSIP)")
            }
        }
    }

    @Test("a conference in which all is well accuses nobody of a fault")
    func conference() {
        let result = LabExplanation.ofCaptures(Conference(isRecorded: true).hold().world.captures)
        let faults = result.findings.filter { $0.severity == .fault }.map(\.summary)
        #expect(faults == [])
        #expect(result.counts.rtp > 3_000)
        // Each helper is known by its work, seen from both sides of its router.
        #expect(result.sides.compactMap { $0.fits.first?.box } == ["SpeedTouch 780", "Linux nf_nat_sip"])
    }
}
