import Base
import SIP
import ServerNode
import Testing

@Suite("One account leaves room for others: what is passed on, and what is kept to absorb retransmissions")
struct PassedOnShareTests {
    private static func fixture() throws -> CallFixture { try CallFixture { $0.limits.transactionsPerAccount = 3 } }

    @Test("INFOs that nobody answers: one account's fourth gets 503, the other's first goes through; then there is room again")
    func infos() throws {
        let f = try Self.fixture()
        try f.talk()
        for _ in 0..<3 { #expect(try f.bob.mine(f.alice.send("INFO")).map(\.method) == [.info]) }
        let out = f.alice.send("INFO")
        #expect(try f.statuses(out, f.alice) == [503])
        #expect(try f.bob.mine(out).isEmpty)
        #expect(try f.alice.mine(f.bob.send("INFO")).map(\.method) == [.info])
        #expect(f.h.server.callUsage.accounts == 3)
        f.h.advance(.seconds(33))
        #expect(try f.bob.mine(f.alice.send("INFO")).map(\.method) == [.info])
    }

    @Test("MESSAGEs that nobody answers: one account's fourth gets 503, the other's first goes through, and nothing is left")
    func messages() throws {
        let f = try Self.fixture()
        func say(_ from: UA, to user: String) throws -> [(flow: FlowID, bytes: [UInt8])] {
            from.remoteURI = "sip:\(user)@pinhole"
            from.target = from.remoteURI
            return try from.sendSigned("MESSAGE", body: "hello")
        }
        for _ in 0..<3 { #expect(try f.bob.mine(say(f.alice, to: "bob")).contains { $0.method == .message }) }
        #expect(try f.statuses(say(f.alice, to: "bob"), f.alice) == [503])
        #expect(try f.alice.mine(say(f.bob, to: "alice")).contains { $0.method == .message })
        f.expectNothingLeft()
    }

    @Test("replies are kept up to so many octets: the oldest give way, and a copy of a request whose reply is kept draws it")
    func replyOctets() throws {
        var settings = ServerSettings()
        settings.limits.replyOctets = 2_000
        let h = Harness(settings)
        let flow = Harness.flow()
        for index in 1...20 { _ = try h.register(Register(callID: "t\(index)", contact: "<sip:alice@10.0.0.1>"), on: flow) }
        // Some 400 octets each.
        #expect((14...18).contains(h.server.counters.transactionsEvicted))
        #expect(h.server.counters.accepted == 20)
    }
}
