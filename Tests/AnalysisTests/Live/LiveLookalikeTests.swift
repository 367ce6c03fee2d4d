import Analysis
import Base
import SIP
import Testing

@Suite("What a live tap sees and nobody is to be accused of")
struct LiveLookalikeTests {
    private static func accused(_ tap: LiveTap) -> [FindingName] {
        tap.live.result().findings.filter(\.severity.accuses).map(\.name)
    }

    @Test(
        "a phone's connections come from ephemeral ports, other than Via's and Contact's: no helper, no jump",
        arguments: [SIPTransport.tcp, .tls, .wss], ["192.168.1.20:5060", "198.51.100.7:5060"])
    func connections(_ transport: SIPTransport, _ own: String) throws {
        var tap = LiveTap(room: 1 << 20)
        tap.transport = transport
        for (number, port) in [UInt16(49_152), 49_153, 50_001].enumerated() {
            let phone = Endpoint(Endpoint("198.51.100.7:1")!.address, port)
            let first = 2 * number + 1
            try tap.registers("alice", first, from: phone, own: own)
            // It comes back on a new connection: in its time, and at once.
            tap.now = tap.now + (number == 0 ? .seconds(1_800) : .seconds(3))
        }
        #expect(Self.accused(tap) == [])
    }

    @Test("a mapping that ran out explains a new port: after silence nobody is accused of a jump or a helper")
    func expired() throws {
        var tap = LiveTap(room: 1 << 20)
        try tap.registers("alice", 1, from: Endpoint("198.51.100.7:40000")!)
        for (number, port) in [UInt16(40_100), 40_200].enumerated() {
            tap.now = tap.now + .seconds(600)
            try tap.registers("alice", 3 + 2 * number, from: Endpoint(Endpoint("198.51.100.7:1")!.address, port))
        }
        let names = tap.live.result().findings.filter(\.severity.accuses).map(\.name)
        #expect(!names.contains(.natPortJump) && !names.contains(.algSuspected))
    }

    @Test("a phone that names its public address may have asked STUN, which a live tap does not see: a note")
    func stun() throws {
        var tap = LiveTap(room: 1 << 20)
        let phone = Endpoint("198.51.100.7:40000")!
        try tap.comes(
            LiveTap.register(1, of: "alice", "r-alice", via: "192.168.1.20:5060", contact: "198.51.100.7:40000"), from: phone)
        try tap.goes(LiveTap.answer("401 Unauthorized", to: 1, of: "alice", "r-alice", nonce: "n"), to: phone)
        let suspected = tap.live.result().findings.filter { $0.name == .algSuspected }
        #expect(suspected.map(\.severity) == [.note])
        #expect(Self.accused(tap) == [])
    }
}
