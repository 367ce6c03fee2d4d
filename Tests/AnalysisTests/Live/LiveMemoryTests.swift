import Analysis
import Base
import SIP
import Testing

@Suite("A live tap forgets within bounds, and what it holds stays true")
struct LiveMemoryTests {
    private static let phone = Endpoint("198.51.100.7:40000")!
    private static let small = 256 << 10

    private static func told(_ tap: LiveTap, _ name: FindingName) -> [Finding] {
        tap.live.result().findings.filter { $0.name == name }
    }

    @Test("a flood grows no table, twice as many messages take no more than once", arguments: [4_000, 8_000])
    func bounded(messages: Int) throws {
        var tap = LiveTap(room: Self.small)
        var most = tap.live.held
        for part in 0..<(messages / 1_000) {
            try tap.flood(1_000, startingAt: part * 500)
            most.octets = max(most.octets, tap.live.held.octets)
            most.dialogs = max(most.dialogs, tap.live.held.dialogs)
        }
        #expect(most.octets <= Self.small)
        #expect(most.dialogs <= Self.small / 1_000)
        #expect(tap.live.held.marks == 0 && tap.live.held.flows == 0)
        #expect(tap.live.held.findings <= 8 * 4)
        #expect(tap.live.result().sources.first?.frames == messages)
    }

    @Test("flows, marks and calls of accounts are bounded, too")
    func accounts() throws {
        var tap = LiveTap(room: Self.small)
        for number in 0..<800 {
            let phone = Endpoint(.v4(IPv4Address(198, 51, UInt8(number >> 8), UInt8(number & 255))), 5_060)
            try tap.registers("a\(number)", from: phone)
            tap.live.keepalive(on: FlowID(.udp, local: LiveTap.local, remote: phone), at: tap.now)
        }
        let held = tap.live.held
        #expect(held.octets <= Self.small && held.dialogs > 50)
        #expect(held.flows <= Self.small / 512)
        // Of what is forgotten at once marks may come on top, until the next message.
        #expect(held.marks <= 2 * Self.small / 4 / 100)
        #expect(tap.live.result().findings.allSatisfy { !$0.severity.accuses })
    }

    @Test("strangers go first: an account's evidence is told as without them")
    func strangersFirst() throws {
        var (quiet, flooded) = (LiveTap(room: Self.small), LiveTap(room: Self.small))
        try quiet.registers("alice", from: Self.phone, jumps: true)
        try flooded.flood(500)
        try flooded.registers("alice", from: Self.phone, jumps: true)
        try flooded.flood(6_000, startingAt: 1_000)
        let (alone, among) = (Self.told(quiet, .natPortJump), Self.told(flooded, .natPortJump))
        #expect(alone.count == 1 && alone.map(\.summary) == among.map(\.summary))
        #expect(alone.map { $0.evidence.map(\.excerpt) } == among.map { $0.evidence.map(\.excerpt) })
        #expect(among.first?.subject.dialogs.count == 1)
        #expect(flooded.live.result().dialogs.contains { $0.callID == "r-alice" })
        #expect(flooded.live.forgotten.ofAccounts == 0 && flooded.live.forgotten.ofStrangers > 2_000)
    }

    @Test("a finding about forgotten registrations stays and counts as without forgetting")
    func findingsStay() throws {
        var (whole, bounded) = (LiveTap(room: 64 << 20), LiveTap(room: Self.small))
        for number in 0..<600 {
            let phone = Endpoint(.v4(IPv4Address(198, 51, UInt8(number >> 8), UInt8(number & 255))), 5_060)
            try whole.registers("a\(number)", from: phone, jumps: true)
            try bounded.registers("a\(number)", from: phone, jumps: true)
        }
        let (all, few) = (Self.told(whole, .natPortJump), Self.told(bounded, .natPortJump))
        #expect(all.reduce(0) { $0 + $1.count } == 600)
        #expect(few.reduce(0) { $0 + $1.count } == 600)
        #expect(bounded.live.forgotten.ofAccounts > 300)
        #expect(bounded.live.result().hasAccusations)
    }

    @Test("what is forgotten is told with its number, and accuses nobody")
    func told() throws {
        var tap = LiveTap(room: Self.small)
        try tap.flood(3_000)
        let blind = Self.told(tap, .captureBlind).filter { $0.summary.contains("forgotten") }
        #expect(blind.map(\.severity) == [.note])
        #expect(
            blind.first?.summary.contains("The oldest \(tap.live.forgotten.ofStrangers) dialogs of strangers were forgotten")
                == true)
        #expect(blind.first?.count == tap.live.forgotten.messages)
        #expect(LiveTap(room: Self.small).live.forgotten.messages == 0)
    }

    @Test("keepalives that are forgotten were no silence: an expired mapping is laid to the silence that there was")
    func trail() throws {
        func talk(room: Int) throws -> LiveTap {
            var tap = LiveTap(room: room)
            try tap.registers("alice", from: Self.phone)
            for number in 0..<600 {
                tap.now = tap.now + .seconds(5)
                try tap.pings(Self.phone, number)
            }
            tap.now = tap.now + .seconds(60)
            for _ in 0..<3 { try tap.pings(Self.phone, 1_000, isAnswered: false) }
            tap.now = tap.now + .seconds(20)
            var back = Self.phone
            back.port = 41_000
            try tap.comes(LiveTap.register(3, of: "alice", "r-alice", nonce: "nalice1"), from: back, isProved: true)
            try tap.goes(LiveTap.answer("200 OK", to: 3, of: "alice", "r-alice"), to: back)
            return tap
        }
        let (whole, bounded) = (try talk(room: 64 << 20), try talk(room: 128 << 10))
        let (expected, found) = (Self.told(whole, .natMappingExpired), Self.told(bounded, .natMappingExpired))
        #expect(expected.count == 1)
        #expect(found.map(\.summary) == expected.map(\.summary))
        #expect(bounded.live.forgotten.keepalives > 100)
        #expect(
            bounded.live.result().findings.filter(\.severity.accuses).map(\.name)
                == whole.live.result().findings.filter(\.severity.accuses).map(\.name))
    }

    @Test("line ends and STUN of a registered phone keep its way open in our eyes; a stranger's leave no mark")
    func keepalives() throws {
        var tap = LiveTap(room: Self.small)
        try tap.registers("alice", from: Self.phone)
        let flow = FlowID(.udp, local: LiveTap.local, remote: Self.phone)
        for _ in 0..<10 {
            tap.now = tap.now + .seconds(20)
            tap.live.keepalive(on: flow, at: tap.now)
            tap.live.keepalive(on: FlowID(.udp, local: LiveTap.local, remote: Endpoint("198.18.0.1:7")!), at: tap.now)
        }
        #expect(tap.live.held.marks == 10)
    }

    @Test("a registration that is refreshed for days stays bounded, and is no fault")
    func longDialog() throws {
        var tap = LiveTap(room: Self.small)
        try tap.registers("alice", from: Self.phone)
        for number in 0..<2_000 {
            try tap.comes(
                LiveTap.register(3 + number, of: "alice", "r-alice", nonce: "nalice1"), from: Self.phone, isProved: true,
                after: .seconds(60))
            try tap.goes(LiveTap.answer("200 OK", to: 3 + number, of: "alice", "r-alice"), to: Self.phone)
        }
        #expect(tap.live.held.octets <= Self.small)
        #expect(tap.live.forgotten.ofAccounts > 0)
        let result = tap.live.result()
        #expect(result.dialogs.contains { $0.outcome == .registered(expires: 3_600) })
        #expect(result.findings.allSatisfy { !$0.severity.accuses })
    }

    @Test("what is over goes before what is open")
    func overFirst() throws {
        var tap = LiveTap(room: Self.small)
        // A call that stands, and then many that end.
        func call(_ number: Int, ends: Bool) throws {
            func text(_ first: String, _ cseq: Int, _ method: String) -> String {
                first + "\r\n"
                    + LiveTap.head(method, cseq, of: "alice", "c\(number)", branch: "c\(number)\(cseq)", via: "192.168.1.20:5060")
                    + "Contact: <sip:alice@192.168.1.20:5060>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            }
            try tap.comes(text("INVITE sip:bob@pinhole SIP/2.0", 1, "INVITE"), from: Self.phone, isProved: true)
            try tap.goes(text("SIP/2.0 200 OK", 1, "INVITE"), to: Self.phone)
            try tap.comes(text("ACK sip:bob@203.0.113.10 SIP/2.0", 1, "ACK"), from: Self.phone)
            guard ends else { return }
            try tap.comes(text("BYE sip:bob@203.0.113.10 SIP/2.0", 2, "BYE"), from: Self.phone)
            try tap.goes(text("SIP/2.0 200 OK", 2, "BYE"), to: Self.phone)
        }
        try call(0, ends: false)
        for number in 1..<400 { try call(number, ends: true) }
        let ids = Set(tap.live.result().dialogs.map(\.callID))
        #expect(ids.contains("c0") && !ids.contains("c1") && ids.contains("c399"))
    }

    @Test("what nobody had time to judge is counted, and nothing is told of it")
    func skipped() throws {
        var tap = LiveTap(room: Self.small)
        try tap.flood(1_000)
        let next = tap.live.nextForgotten()
        let forgotten = try #require(next)
        let further = tap.live.nextForgotten()
        #expect(forgotten.isOfStrangersAlone && further == nil)
        tap.live.skip(forgotten)
        #expect(tap.live.forgotten.unjudged > 0)
        #expect(Self.told(tap, .captureBlind).contains { $0.summary.contains("came too fast to be judged") })
    }
}
