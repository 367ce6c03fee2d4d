import ALG
import Base
import NAT
import RouterNode
import Testing

@Suite("what the command line shows and sets of live flows")
struct AppInfoTests {
    private static let outside = Endpoint("198.51.100.7:5060")!

    private func linux() -> RouterBench { RouterBench(.linux(wan: RouterBench.wan)) }

    private func register(_ bench: inout RouterBench) throws {
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        bench.run(to: 1_000)
        try bench.send(
            .wan, RouterBench.server, Self.outside, Script.response(200, 1, via: "198.51.100.7:5060"))
    }

    @Test("appinfo says what the ALG rewrote, how often, when last, from what to what and on which flow")
    func rewrites() throws {
        var bench = linux()
        try register(&bench)
        bench.run(to: 4_000)
        let text = bench.command("connection appinfo application=SIP")
        #expect(text.contains("SIP_ALG       enabled\n"))
        #expect(text.contains("messages      1 out, 1 in\n"))
        #expect(
            text.contains(
                """
                rewrote       Via out 1 time, last 4 s ago
                              - 192.168.1.2:5060
                              + 198.51.100.7:5060
                              UDP 192.168.1.2:5060 as 198.51.100.7:5060 <-> 203.0.113.20:5060

                """), "\(text)")
        #expect(text.contains("rewrote       Via in 1 time, last 3 s ago\n              - 198.51.100.7:5060\n"))
        #expect(text.contains("rewrote       Contact out 1 time"))
        #expect(bench.router.algStatistics.rewriteCount == 3)
    }

    @Test("appinfo counts drops by reason, with the last flow they befell")
    func drops() throws {
        var bench = linux()
        let broken = Script.register(1, contact: "192.168.1.2:5060").replacing("CSeq: 1 REGISTER", with: "CSeq: x REGISTER")
        for _ in 0..<3 { try bench.send(.lan, RouterBench.phone, RouterBench.server, broken) }
        let text = bench.command("connection appinfo SIP")
        #expect(text.contains("dropped       3 messages\n"))
        #expect(
            text.contains(
                "dropped       3 times, last 0 s ago: no CSeq number that can be read\n              UDP 192.168.1.2:5060"))
        #expect(bench.command("connection stats").contains("3         lan   ALG: no CSeq number that can be read"))
    }

    @Test("counting needs nobody who listens to traces, and a restart does not reset it")
    func masked() throws {
        var bench = linux()
        bench.router.isTracing = false
        try register(&bench)
        bench.feed(.reboot)
        #expect(bench.traces.isEmpty)
        #expect(bench.router.algStatistics.rewriteCount == 3)
        #expect(bench.router.statistics.restarts == 1)
    }

    @Test("a million rewrites leave a bounded record: the last 64, and long values cut")
    func bounded() throws {
        var bench = linux()
        for number in 1...200 {
            try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(number, contact: "192.168.1.2:5060"))
        }
        #expect(bench.router.algStatistics.recent.count == 64)
        #expect(bench.router.algStatistics.rewriteCount == 400)
        #expect(bench.router.algStatistics.rewrites.count == 2)
    }

    @Test(
        "the form of the TG784, with the application named by its place",
        arguments: [
            "appconfig application SIP SIP_ALG disabled", "appconfig SIP SIP_ALG=disabled", "appconfig sip sip_alg disabled",
            "appconfig SIP_ALG=disabled application=SIP", "appconfig SIP_ALG=disabled SIP",
        ])
    func placed(line: String) {
        var bench = linux()
        #expect(bench.command(":connection \(line)") == "{Administrator}=>")
        #expect(!bench.router.isALGOn)
    }

    @Test("timerconfig acts at once on what is mapped: the time left moves by the difference, and what is over is over")
    func timers() throws {
        var bench = RouterBench(.generic(wan: RouterBench.wan, mapping: .endpointIndependent, filtering: .endpointIndependent))
        try bench.send(.lan, Endpoint("192.168.1.2:4000")!, RouterBench.stun, [1])
        bench.run(to: 50_000)
        try bench.send(.lan, Endpoint("192.168.1.2:4001")!, RouterBench.stun, [1])
        #expect(bench.router.mappings.map { $0.idleLeft(at: bench.now) } == [.seconds(250), .seconds(300)])
        #expect(bench.command("connection timerconfig timer=udpidle value=80") == "{Administrator}=>")
        #expect(bench.router.mappings.map { $0.idleLeft(at: bench.now) } == [.seconds(30), .seconds(80)])
        #expect(bench.router.snapshot(at: bench.now).mappings.map(\.keeper) == [.command, .command])
        #expect(bench.command("connection timerconfig udpidle").hasPrefix("udpidle is not an argument of timerconfig"))
        #expect(bench.command("connection timerconfig timer=udpidle") == "udpidle   80 s\n{Administrator}=>")
        _ = bench.command("connection timerconfig timer=udpidle value=40")
        #expect(bench.router.mappings.map(\.internal.port) == [4001])
        bench.run(to: 89_999)
        #expect(bench.router.mappings.count == 1)
        bench.run(to: 90_000)
        #expect(bench.router.mappings.isEmpty)
    }

    @Test("a TCP connection's time moves too, by the timer of its state")
    func connectionTimers() throws {
        var nat = AddressTranslator(settings: NATSettings(RouterBench.wan), entropy: Entropy(labSeed: 1))
        let start = Instant(seconds: 10)
        let mapping = try nat.open(.tcp, for: RouterBench.phone, remote: RouterBench.server, at: start)
        #expect(mapping.idleLeft(at: start) == .seconds(240))
        var timers = nat.settings.timers
        timers.tcpTransitory = .seconds(100)
        nat.setTimers(timers, at: start + .seconds(40))
        #expect(nat.mapping(mapping.id)?.idleLeft(at: start + .seconds(40)) == .seconds(60))
        timers.tcpTransitory = .seconds(40)
        nat.setTimers(timers, at: start + .seconds(40))
        #expect(nat.mapping(mapping.id) == nil)
    }

    @Test("saveall keeps timers, rules and static mappings over a reboot; what was not saved is gone")
    func saved() throws {
        var bench = linux()
        _ = bench.command("connection timerconfig timer=udpidle value=77")
        _ = bench.command("nat mapadd protocol=udp outside_port=7000 inside_addr=192.168.1.9")
        _ = bench.command("firewall ruleadd action=drop protocol=udp port=9 interface=lan")
        _ = bench.command("saveall")
        _ = bench.command("connection timerconfig timer=udpidle value=99")
        bench.feed(.reboot)
        bench.run(to: 31_000)
        #expect(bench.command("connection timerconfig timer=udpidle").hasPrefix("udpidle   77 s\n"))
        #expect(bench.command("firewall list") == "1   interface=lan protocol=udp port=9 action=drop\n{Administrator}=>")
        try bench.send(.wan, RouterBench.server, Endpoint("198.51.100.7:7000")!, [1, 2])
        #expect(try bench.datagrams(.lan).map(\.destination) == [Endpoint("192.168.1.9:7000")!])
    }

    @Test("timeout acts at once on the mappings that carry SIP already")
    func sipTimeout() throws {
        var bench = RouterBench(.speedtouch780(wan: RouterBench.wan))
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, RouterBench.phone, RouterBench.stun, [1])
        _ = bench.command("connection appconfig application=SIP timeout=120")
        #expect(bench.router.mappings.map(\.idle) == [.seconds(120), .seconds(60)])
    }

    @Test("unbinding a port stops the ALG on flows that it follows already")
    func unbind() throws {
        var bench = linux()
        try register(&bench)
        _ = try bench.datagrams(.wan)
        #expect(bench.command("nat unbind application=SIP port=5060") == "{Administrator}=>")
        #expect(bench.router.pinholes.isEmpty)
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(2, contact: "192.168.1.2:5060"))
        #expect(try bench.datagrams(.wan).map(\.text) == [Script.register(2, contact: "192.168.1.2:5060")])
    }

    @Test("unbinding one port of two leaves the other's flows and pinholes alone")
    func unbindOne() throws {
        var bench = linux()
        _ = bench.command("connection bind application=SIP port=5070")
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(
            .lan, Endpoint("192.168.1.3:5062")!, Endpoint("203.0.113.20:5070")!,
            Script.register(1, contact: "192.168.1.3:5062", via: "192.168.1.3:5062"))
        #expect(bench.router.pinholes.count == 2)
        _ = bench.command("connection unbind SIP 5070")
        #expect(bench.router.pinholes.map(\.inside) == [RouterBench.phone])
    }

    @Test("mapadd leads a port inside at once, mapdelete ends what came through it")
    func staticMappings() throws {
        var bench = RouterBench(
            .generic(wan: RouterBench.wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent))
        #expect(bench.command("nat mapadd udp 6000 192.168.1.7 inside_port=5060") == "{Administrator}=>")
        #expect(bench.command("nat maplist").hasPrefix("static udp 6000 to 192.168.1.7:5060\n"))
        for sender in ["203.0.113.1:9", "203.0.113.2:9"] {
            try bench.send(.wan, Endpoint(sender)!, Endpoint("198.51.100.7:6000")!, [1])
        }
        #expect(try bench.datagrams(.lan).map(\.destination) == [Endpoint("192.168.1.7:5060")!, Endpoint("192.168.1.7:5060")!])
        #expect(bench.command("nat mapadd udp 6000 192.168.1.8").hasPrefix("outside_port=6000: mapped already"))
        #expect(bench.command("nat mapadd udp 6001 10.0.0.1").hasPrefix("inside_addr=10.0.0.1: an IPv4 address inside"))
        #expect(bench.command("nat mapdelete udp 6000") == "{Administrator}=>")
        #expect(bench.router.mappings.isEmpty)
        try bench.send(.wan, Endpoint("203.0.113.1:9")!, Endpoint("198.51.100.7:6000")!, [1])
        #expect(try bench.datagrams(.lan).isEmpty)
    }

    @Test("the firewall's first rule that fits decides; what it drops is counted")
    func firewall() throws {
        var bench = RouterBench(
            .generic(wan: RouterBench.wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent))
        _ = bench.command("firewall ruleadd action=accept to=203.0.113.30 protocol=udp")
        _ = bench.command("firewall ruleadd action=drop interface=lan protocol=udp port=3478-5060")
        try bench.send(.lan, RouterBench.phone, RouterBench.server, [1])
        try bench.send(.lan, RouterBench.phone, RouterBench.stun, [2])
        #expect(try bench.datagrams(.wan).map(\.payload) == [[2]])
        #expect(bench.command("nat stats").contains("1         lan   firewall, last 0 s ago\n"))
        #expect(bench.command("firewall ruledelete index=3").hasPrefix("index=3: there is no such rule"))
        #expect(bench.command("firewall ruleadd drop port=80").hasPrefix("port: give protocol=udp or protocol=tcp with it"))
        _ = bench.command("firewall ruledelete 2")
        try bench.send(.lan, RouterBench.phone, RouterBench.server, [3])
        #expect(try bench.datagrams(.wan).map(\.payload) == [[3]])
    }

    @Test(
        "what is not known is answered with the nearest valid form",
        arguments: [
            ("conection", "Nearest: connection\n"), ("connection appcnfig", "Nearest: appconfig application=APPLICATION ["),
            ("appconfig application=SIP SIP_ALG=disabled", "Nearest: connection appconfig application=APPLICATION ["),
            ("connection appconfig application=SPI SIP_ALG=disabled", "Nearest: SIP\n"),
            ("connection appconfig SIP SIPALG=disabled", "Nearest: appconfig application=APPLICATION ["),
            ("connection timerconfig timer=udpidel value=3", "Nearest: udpidle\n"),
        ])
    func nearest(line: String, answer: String) {
        var bench = linux()
        let text = bench.command(line)
        #expect(text.contains("\n" + answer), "\(text)")
        #expect(bench.router.isALGOn)
    }

    @Test("help says a command's arguments, from wherever one stands")
    func help() {
        var bench = linux()
        let usage = "bind application=APPLICATION port=PORT[-PORT]\n  hand a port's traffic to an application's helper\n"
        for line in ["help connection bind", "connection bind ?", "connection help bind", "nat bind help"] {
            #expect(bench.command(line).hasPrefix(usage), "\(line)")
        }
        _ = bench.command("connection")
        #expect(bench.command("help bind").hasPrefix(usage))
        #expect(bench.command("help").contains("  timerconfig   show the idle times, or set one\n"))
        #expect(bench.command("..") == "{Administrator}=>")
        #expect(bench.command("help").contains("  nat           bind, bindlist, mapadd,"))
    }

    @Test("every command that needs no argument answers from every group; ping and menu say honestly what is not there")
    func everything() throws {
        var bench = linux()
        try register(&bench)
        for line in [
            "connection config", "connection describe id=1", "connection info", "connection stats", "nat maplist", "nat stats",
            "firewall list", "firewall config", "ip config", "ip iplist", "ip rtlist", "interface list", "system info", "ping",
            "traceroute 192.0.2.1", "menu",
        ] {
            let text = bench.command(":" + line)
            #expect(text.hasSuffix("\n{Administrator}=>") && !text.contains("is not"), "\(line): \(text)")
        }
        #expect(bench.command("interface list").contains("lan   1            "))
        #expect(bench.command("connection describe 1").contains("kept by       outside packet, 0 s ago\n"))
    }

    @Test("reset puts everything back and saves it so")
    func reset() throws {
        var bench = linux()
        try register(&bench)
        for line in ["connection appconfig SIP SIP_ALG=disabled", "firewall config wan_ping=disabled", "saveall", "system reset"]
        {
            _ = bench.command(line)
        }
        #expect(bench.router.isALGOn && bench.router.mappings.isEmpty)
        #expect(bench.command("firewall config").hasPrefix("wan_ping      enabled\n"))
    }
}
