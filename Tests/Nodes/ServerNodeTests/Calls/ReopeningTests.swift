import Base
import SIP
import ServerNode
import Testing

@Suite("Phones whose connection is gone")
struct ReopeningTests {
    static let bob = AddressOfRecord("bob@pinhole")!

    /// Bob over TCP, whose connection is gone: closed under him, or lost with the server's former life.
    func lost(afterRestart: Bool) throws -> CallFixture {
        let f = try CallFixture(bob: "198.51.100.77:41000", .tcp)
        guard afterRestart else {
            f.h.input(.closed(f.bob.flow))
            return f
        }
        let later = try CallFixture(bob: "192.0.2.99:5060")
        later.h.input(.restore(f.h.server.allBindings().filter { $0.aor == Self.bob }))
        return later
    }

    @Test(
        "A TCP phone whose Contact is at the address it registered from is called at once, over a new connection to its Contact",
        arguments: [false, true])
    func called(afterRestart: Bool) throws {
        let f = try lost(afterRestart: afterRestart)
        #expect(f.h.connected.isEmpty)
        let out = try f.alice.invite("bob")
        let flow = try #require(f.h.connected.first)
        #expect(f.h.connected.count == 1)
        #expect(flow.transport == .tcp && flow.local == Harness.local)
        #expect(flow.remote == Endpoint("198.51.100.77:41000")!)
        f.bob.flow = flow
        try f.bob.called(by: try #require(try f.bob.mine(out).first { $0.method == .invite }))
        #expect(f.h.server.bindings(of: Self.bob).filter { $0.flow.transport == .tcp }.map(\.reach) == [.reachable])
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, formats: "0 101"))
        #expect(try f.statuses(answered, f.alice).contains(200))
        #expect(f.h.lastTexts.contains("bob@pinhole: opens a connection to its Contact, 198.51.100.77:41000"))
    }

    @Test("Where nobody listens there the caller hears 480 at once; the next call tries again, over another connection")
    func nobodyThere() throws {
        let f = try lost(afterRestart: false)
        try f.alice.invite("bob")
        let first = try #require(f.h.connected.first)
        #expect(try f.statuses(f.h.input(.closed(first)), f.alice) == [480])
        f.alice.callID = "second"
        try f.alice.invite("bob")
        #expect(f.h.connected.map(\.remote) == [first.remote, first.remote])
        #expect(f.h.connected[1].connection != first.connection)
        // While that one is being opened another call takes it as well.
        f.alice.callID = "third"
        let out = try f.alice.invite("bob")
        #expect(f.h.connected.count == 2)
        #expect(out.contains { $0.flow == f.h.connected[1] })
    }

    @Test(
        "A phone that rings and registers over another connection before its old one closes is not given up: it answers by the new one"
    )
    func movedWhileRinging() throws {
        let f = try CallFixture(bob: "198.51.100.77:41000", .tcp)
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first { $0.method == .invite }))
        f.bob.respond(180)
        let former = f.bob.flow
        f.bob.contactHost = "198.51.100.77:41000"
        f.bob.flow = Harness.flow(Endpoint("198.51.100.77:41001")!, .tcp)
        try f.bob.register()
        #expect(try f.statuses(f.h.input(.closed(former)), f.alice) == [])
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, formats: "0 101"))
        #expect(try f.statuses(answered, f.alice).contains(200))
    }

    @Test("A MESSAGE goes the same way")
    func message() throws {
        let f = try lost(afterRestart: false)
        f.alice.target = "sip:bob@pinhole"
        f.alice.remoteURI = "sip:bob@pinhole"
        let out = try f.alice.sendSigned("MESSAGE", extra: "Content-Type: text/plain\r\n", body: "hi")
        #expect(out.contains { $0.flow == f.h.connected.first })
    }

    /// What is not called over a new connection, and why.
    @Test(
        "Phones behind NATs and proxies, and those that speak TLS or WebSocket, are waited for, and the log says so",
        arguments: [
            (SIPTransport.tcp, "<sip:bob@192.168.1.20:5060;transport=tcp>", ""),
            (.tcp, "<sip:bob@198.51.100.78:5060;transport=tcp>", ""),
            (.tcp, "<sip:bob@phone.example:5060;transport=tcp>", ""),
            (.tcp, "<sip:bob@198.51.100.77:5060;transport=udp>", ""),
            (.tcp, "<sips:bob@198.51.100.77:5061;transport=tcp>", ""),
            (.tcp, "<sip:bob@198.51.100.77:0;transport=tcp>", ""),
            (.tcp, "<sip:bob@198.51.100.77:5060;transport=tcp>", "Supported: path\r\nPath: <sip:198.51.100.77;lr>\r\n"),
            (.tls, "<sip:bob@198.51.100.77:5061;transport=tls>", ""),
            (.ws, "<sip:bob@198.51.100.77:5060;transport=ws>", ""),
        ])
    func waitedFor(transport: SIPTransport, contact: String, extra: String) throws {
        let f = try CallFixture()
        let flow = Harness.flow(Endpoint("198.51.100.77:41000")!, transport)
        let request = Register(user: "carol", callID: "c", contact: contact, extra: extra)
        #expect(try f.h.register(request, password: "word", on: flow).statusCode == 200)
        f.h.input(.closed(flow))
        #expect(f.h.lastTexts.last == "carol@pinhole: its connection \(flow) closed; not reachable until it comes back")
        #expect(f.h.server.bindings(of: AddressOfRecord("carol@pinhole")!).map(\.opensTo) == [nil])
        #expect(try f.statuses(try f.alice.invite("carol"), f.alice) == [480])
        #expect(f.h.connected.isEmpty)
    }

    @Test("The log names where a new connection goes")
    func said() throws {
        let f = try lost(afterRestart: false)
        #expect(
            f.h.lastTexts.last
                == "bob@pinhole: its connection \(f.bob.flow) closed; who calls opens a new one to 198.51.100.77:41000")
        let after = try CallFixture()
        after.h.input(.restore(f.h.server.allBindings()))
        #expect(after.h.lastTexts.last == "restored 2 bindings")
    }

    @Test("A phone that came back is not sought at its former Contact; an instance's standing flow comes first")
    func cameBack() throws {
        let f = try lost(afterRestart: false)
        let back = UA(f.h, "bob", at: "198.51.100.77:42000", .tcp)
        try back.register()
        #expect(f.h.server.bindings(of: Self.bob).map { $0.reach == .reachable } == [false, true])
        let out = try f.alice.invite("bob")
        #expect(f.h.connected.isEmpty)
        #expect(try back.mine(out).map(\.method) == [.invite])

        let g = try CallFixture()
        let first = UA(g.h, "carol", at: "198.51.100.80:5060", .udp)
        try first.register(instance: "000000000001", regID: 1)
        let second = UA(g.h, "carol", at: "198.51.100.81:5060", .tcp)
        try second.register(instance: "000000000001", regID: 2)
        g.h.input(.closed(second.flow))
        let called = try g.alice.invite("carol")
        #expect(g.h.connected.isEmpty)
        #expect(try first.mine(called).map(\.method) == [.invite])
        // It refuses for its flow's sake: now the connection is opened.
        try first.called(by: try #require(try first.mine(called).first))
        let next = first.respond(503)
        #expect(g.h.connected.map(\.remote) == [Endpoint("198.51.100.81:5060")!])
        #expect(next.contains { $0.flow == g.h.connected[0] })
    }
}
