import ALG
import Base
import NAT
import RouterNode
import Testing

@Suite("command line")
struct CommandLineTests {
    private func bench() -> RouterBench { RouterBench(.speedtouch780(wan: RouterBench.wan)) }

    static let root = "{Administrator}=>"
    static let inside = "{Administrator}[connection]=>"

    /// A mistake from the root leaves one in the group one was in.
    static let unknown =
        "frob is not a group or command; there are: connection, dhcp, dns, firewall, interface, ip, language, nat, service, sntp, software, syslog, system, upnp, user, wireless, exit, .., help, ?, menu, saveall, ping, traceroute\nNearest: dhcp\n"

    @Test(
        "lines and the prompt after them",
        arguments: [
            ([""], "", root), (["connection"], "", inside), ([":connection"], "", inside), (["dhcp", ":connection"], "", inside),
            (["connection", ":frob"], unknown, inside), (["CONNECTION"], "", inside),
            (["connection", ".."], "", root),
            (["connection", ":connection appconfig application=SIP trace=enabled"], "", inside),
            (["connection", "appconfig application=SIP SIP_ALG=disabled"], "", inside),
            (["connection appconfig application = sip sip_alg = Disabled"], "", root),
            ([":connection appconfig application SIP SIP_ALG disabled"], "", root),
            (["connection appconfig application=SIP trace=disabled timeout=600 childqos=VoIP-RTP"], "", root),
            (["saveall"], "saved: it stays over a reboot\n", root),
            (["connection", ":saveall"], "saved: it stays over a reboot\n", inside),
            (["dhcp"], "", "{Administrator}[dhcp]=>"),
            (
                ["wireless", "help"], "Commands of wireless:\n  (no command of this group is built)\n",
                "{Administrator}[wireless]=>"
            ),
        ] as [([String], String, String)])
    func prompts(lines: [String], text: String, prompt: String) {
        var bench = bench()
        var answer = ""
        for line in lines { answer = bench.command(line) }
        #expect(answer == (text.isEmpty ? prompt : text + prompt))
        #expect(bench.router.prompt == prompt)
    }

    @Test(
        "errors name what was wrong and what is accepted",
        arguments: [
            ("frobnicate", "frobnicate is not a group or command; there are: connection, dhcp,"),
            ("connection frobnicate", "frobnicate is not a command of connection; there are: appconfig, appinfo,"),
            (
                "connection appconfig SIP_ALG=disabled",
                "application is missing: appconfig application=APPLICATION [SIP_ALG=enabled|disabled]"
            ),
            ("connection appconfig application=WHAT SIP_ALG=disabled", "what is not an application; there are: IP6TO4,"),
            ("connection appconfig application=SIP SIP_ALG=off", "sip_alg=off: enabled or disabled is wanted"),
            (
                "connection appconfig application=SIP SIP_ALG",
                "sip_alg: a value is missing after it, as in appconfig application=APPLICATION"
            ),
            (
                "connection appconfig application=SIP colour=red",
                "colour is not an argument of appconfig; there are: application, SIP_ALG,"
            ),
            ("connection appconfig application=SIP", "nothing to set: give SIP_ALG=enabled|disabled"),
            ("connection appconfig application=SIP timeout=0", "timeout=0: a number of seconds from 1 to 86400 is wanted"),
            ("connection appconfig application=FTP SIP_ALG=disabled", "application: only SIP can be configured here"),
            (
                "connection bind application=SIP port=70000",
                "port=70000: a port from 1 to 65535 or a range like 5060-5061 is wanted"
            ),
            ("connection bind application=SIP port=5060", "port=5060: bound already"),
            ("connection unbind application=SIP port=5061", "port=5061: not bound; bound are: 5060"),
            ("connection list all=yes", "all: list takes no arguments"),
            ("connection timerconfig timer=tea", "tea is not a timer; there are: udpidle,"),
            ("connection appconfig \u{1F600} SIP_ALG=disabled", "\u{1F600} is not an application; there are: IP6TO4,"),
        ])
    func errors(line: String, start: String) {
        var bench = bench()
        let answer = bench.command(line)
        #expect(answer.hasPrefix(start), "\(answer)")
        #expect(answer.hasSuffix(Self.root))
        #expect(bench.router.isALGOn)
    }

    @Test("a refused line changes nothing of what it set before the mistake")
    func allOrNothing() {
        var bench = bench()
        _ = bench.command("connection appconfig application=SIP SIP_ALG=disabled trace=perhaps")
        #expect(bench.router.isALGOn)
    }

    @Test("appinfo shows whether the ALG is on, which no published command did")
    func appinfo() {
        var bench = bench()
        #expect(bench.command("connection appinfo application=SIP").contains("SIP_ALG       enabled\n"))
        _ = bench.command("connection appconfig application=SIP SIP_ALG=disabled")
        #expect(
            bench.command(":connection appinfo application=SIP") == """
                Application   SIP
                SIP_ALG       disabled
                profile       speedtouch-780
                ports         5060
                trace         disabled
                timeout       as the profile says
                pinholes      0
                {Administrator}=>
                """)
        _ = bench.command("connection appconfig application=SIP SIP_ALG=enabled")
        #expect(bench.router.isALGOn)
    }

    @Test("bindlist and applist show what is bound")
    func bindings() {
        var bench = bench()
        #expect(bench.command("nat bindlist").contains("SIP           udp/tcp   5060\n"))
        #expect(bench.command("nat unbind application=SIP port=5060") == Self.root)
        #expect(bench.command("connection bind application=SIP port=5060-5061") == Self.root)
        let list = bench.command("connection bindlist")
        #expect(list.contains("SIP           udp/tcp   5060-5061\n") && list.contains("CONE(UDP)     udp       3478-3479\n"))
        #expect(bench.command("connection applist").contains("SIP           udp/tcp   5060-5061\n"))
        #expect(bench.router.sipPorts == [RouterPortBinding(5060...5061)])
    }

    @Test("list shows the mappings, oldest first, with the idle time left")
    func list() throws {
        var bench = bench()
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, RouterBench.phone, RouterBench.stun, [1])
        bench.run(to: 10_000)
        let rows = bench.command("connection list").split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows[1] == ["udp", "192.168.1.2:5060", "198.51.100.7:52899", "203.0.113.20:5060", "590", "s", "10", "s", "ALG"])
        #expect(
            rows[2] == [
                "udp", "192.168.1.2:5060", "198.51.100.7:52898", "203.0.113.30:3478", "50", "s", "10", "s", "inside", "packet",
            ])
    }

    @Test("timers are shown, all or one")
    func timers() {
        var bench = bench()
        #expect(bench.command("connection timerconfig timer=udpidle") == "udpidle   60 s\n" + Self.root)
        #expect(bench.command("connection timerconfig").hasPrefix("udpidle   60 s\nudpkill   "))
    }

    @Test("timeout sets how long SIP's mappings live")
    func timeout() throws {
        var bench = bench()
        _ = bench.command("connection appconfig application=SIP timeout=120")
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        #expect(bench.router.mappings.map(\.idle) == [.seconds(120)])
    }

    @Test("clean forgets every connection")
    func clean() throws {
        var bench = bench()
        try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(1, contact: "192.168.1.2:5060"))
        #expect(bench.command("connection clean").hasPrefix("all connections forgotten\n"))
        #expect(bench.router.mappings.isEmpty)
    }

    @Test("while it starts, the router says so")
    func down() {
        var bench = bench()
        bench.feed(.reboot)
        #expect(bench.command("connection list") == "the router is starting; try again in a moment\n")
    }

    @Test("endless and odd lines never trap")
    func odd() {
        var bench = bench()
        for line in [
            String(repeating: "connection ", count: 50_000), ":::", "=", "= =", "\u{0}", "connection appconfig = = =", "..",
            "exit", "menu",
        ] {
            #expect(bench.command(line).hasSuffix(bench.router.prompt))
        }
    }
}
