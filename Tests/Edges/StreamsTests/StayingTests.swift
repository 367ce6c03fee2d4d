import Base
import Streams
import Testing

@Suite("Who may stay connected, on real sockets")
struct StayingTests {
    @Test(
        "A connection that proves nobody is closed in time from when it came, whatever it says",
        arguments: ["", "MESSAGE sip:a@l", request(1), "\r\n\r\n", request(1) + "\r\n\r\n" + request(2)])
    func unproved(text: String) throws {
        var settings = StreamSettings()
        settings.provedWithin = .milliseconds(text.isEmpty ? 30 : 2_000)
        let pair = try StreamPair(server: settings)
        if !text.isEmpty { pair.client.service.send(Array(text.utf8), on: pair.clientFlow) }
        var last = try pair.server.next()
        while case .received = last { last = try pair.server.next() }
        guard case .closed(pair.serverFlow, .unproved) = last else { throw StreamEnd.Unexpected(last) }
        #expect(pair.server.service.counters.unproved == 1)
    }

    @Test(
        "Handshakes count: TLS and WebSocket that come to nothing are closed in time", arguments: [SIPTransport.ws, .tls, .wss])
    func handshakes(transport: SIPTransport) throws {
        var settings = StreamSettings()
        settings.provedWithin = .milliseconds(30)
        let server = StreamEnd(settings)
        let identity = transport.isSecure ? try TLSIdentity.passing(names: ["lab"]) : nil
        let bound = try server.service.listen(transport, at: try #require(Endpoint("127.0.0.1:0")), identity: identity)
        let client = StreamEnd()
        client.service.connect(StreamPair.flow(.tcp, to: bound, number: 1))
        _ = try client.opened()
        #expect(try client.closed() == .peer)
        #expect(server.service.counters.unproved == 1)
    }

    @Test("Over whom somebody proved himself stays", arguments: [true, false])
    func proved(isAccount: Bool) throws {
        var settings = StreamSettings()
        // Long enough for a busy machine to say so, short enough to wait for.
        settings.provedWithin = .seconds(5)
        let pair = try StreamPair(server: settings)
        pair.server.service.prove(pair.serverFlow, isAccount: isAccount)
        // A later one that proves nobody is closed, and the first still speaks.
        let other = StreamPair.flow(.tcp, to: pair.serverFlow.local, number: 8)
        pair.client.service.connect(other)
        #expect(try pair.client.opened() == other)
        let late = try pair.server.opened()
        guard case .closed(late, .unproved) = try pair.server.next() else { throw CancellationError() }
        #expect(try pair.client.closed() == .peer)
        pair.client.service.send(Array(request(1).utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1))
    }

    @Test("Where no descriptor is left nothing is accepted until a connection closes; it is said once")
    func exhausted() throws {
        var settings = StreamSettings()
        settings.acceptAgainAfter = .seconds(600)
        settings.provedWithin = .seconds(600)
        let pair = try StreamPair(server: settings)
        pair.server.service.prove(pair.serverFlow, isAccount: true)
        for number in UInt64(8)...9 {
            pair.server.service.exhausted("accept: too many open files")
            // Another listener of the same service says so as well.
            pair.server.service.exhausted("accept: too many open files")
            if number == 8 {
                guard case .exhausted("accept: too many open files") = try pair.server.next() else { throw CancellationError() }
            }
            try settle(pair, over: number == 8 ? pair.clientFlow : StreamPair.flow(.tcp, to: pair.serverFlow.local, number: 8))
            // The kernel takes the connection, the server does not see it.
            let waiting = StreamPair.flow(.tcp, to: pair.serverFlow.local, number: number)
            pair.client.service.connect(waiting)
            #expect(try pair.client.opened() == waiting)
            pair.client.service.close(number == 8 ? pair.clientFlow : StreamPair.flow(.tcp, to: pair.serverFlow.local, number: 8))
            #expect(try pair.client.closed() == .local)
            #expect(try pair.server.closed() == .peer)
            let flow = try pair.server.opened()
            pair.server.service.prove(flow, isAccount: true)
        }
        #expect(pair.server.service.counters.acceptPauses == 2)
    }

    @Test("Where no descriptor is left and none closes, accepting goes on after a while; who proved nothing gives way at once")
    func goesOn() throws {
        var settings = StreamSettings()
        settings.acceptAgainAfter = .milliseconds(50)
        settings.provedWithin = .seconds(600)
        let pair = try StreamPair(server: settings)
        pair.server.service.prove(pair.serverFlow, isAccount: true)
        pair.server.service.exhausted("none left")
        guard case .exhausted = try pair.server.next() else { throw CancellationError() }
        try settle(pair, over: pair.clientFlow)
        let other = StreamPair.flow(.tcp, to: pair.serverFlow.local, number: 8)
        pair.client.service.connect(other)
        #expect(try pair.client.opened() == other)
        // It is seen once the pause is over.
        let late = try pair.server.opened()
        pair.server.service.exhausted("none left")
        guard case .closed(late, .gaveWay) = try pair.server.next() else { throw CancellationError() }
        #expect(try pair.client.closed() == .peer)
        #expect(pair.server.service.counters.gaveWay == 1)
    }

    /// Two round trips: what was asked of the server's event loop before is done.
    private func settle(_ pair: StreamPair, over flow: FlowID) throws {
        for number in 1...2 {
            pair.client.service.send(Array(request(number).utf8), on: flow)
            #expect(try pair.server.message() == request(number))
        }
    }
}
