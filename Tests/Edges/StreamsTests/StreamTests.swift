import Base
import SIP
import Streams
import Testing

@Suite("SIP over TCP on real sockets")
struct TCPTests {
    @Test("Messages cross both ways, over IPv4 and IPv6", arguments: ["127.0.0.1", "::1"])
    func bothWays(address: String) throws {
        let pair = try StreamPair(address: address)
        pair.client.service.send(Array(request(1).utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1))
        pair.server.service.send(Array(request(2, body: 5).utf8), on: pair.serverFlow)
        #expect(try pair.client.message() == request(2, body: 5))
    }

    @Test("RFC 5626 3.5.1: a ping is a message of its own, and so is its answer")
    func keepalive() throws {
        let pair = try StreamPair()
        pair.client.service.send(Array("\r\n\r\n\(request(1))\r\n\r\n".utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == "\r\n\r\n")
        #expect(try pair.server.message() == request(1))
        #expect(try pair.server.message() == "\r\n\r\n")
        pair.server.service.send(Array("\r\n\(request(2))".utf8), on: pair.serverFlow)
        #expect(try pair.client.message() == "\r\n")
        #expect(try pair.client.message() == request(2))
    }

    @Test("A message sent in pieces of one byte arrives whole, and those pipelined behind it in order")
    func fragments() throws {
        let pair = try StreamPair()
        for byte in request(1, body: 10).utf8 { pair.client.service.send([byte], on: pair.clientFlow) }
        pair.client.service.send(Array((2...50).map { request($0, body: $0) }.joined().utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1, body: 10))
        for number in 2...50 { #expect(try pair.server.message() == request(number, body: number)) }
    }

    @Test(
        "What is no SIP stream closes the connection, with the reason, and is counted",
        arguments: [
            ("MESSAGE sip:a@lab SIP/2.0\r\nContent-Length: 70000\r\n\r\n", SIPParseError.Reason.messageTooLarge),
            ("MESSAGE sip:a@lab SIP/2.0\r\nSubject: none\r\n\r\n", .lengthMissing),
            ("MESSAGE sip:a@lab SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n", .repeated(.contentLength)),
            ("MESSAGE sip:a@lab SIP/2.0\r\nContent-Length: -5\r\n\r\n", .number),
        ])
    func unintelligible(text: String, reason: SIPParseError.Reason) throws {
        let pair = try StreamPair()
        pair.client.service.send(Array((request(1) + text).utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1))
        guard case .framing(let error) = try pair.server.closed() else {
            throw StreamEnd.Unexpected(.closed(pair.serverFlow, .peer))
        }
        #expect(error.reason == reason)
        #expect(try pair.client.closed() == .peer)
        #expect(pair.server.service.counters.unintelligible == 1)
        #expect(pair.server.service.connectionCount == 0)
    }

    @Test("A message that never ends is closed, whoever proved himself before")
    func stalledMessage() throws {
        var settings = StreamSettings()
        settings.messageWithin = .milliseconds(30)
        let pair = try StreamPair(server: settings)
        pair.server.service.prove(pair.serverFlow, isAccount: true)
        pair.client.service.send(Array("\(request(1))MESSAGE".utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1))
        #expect(try pair.server.closed() == .tooSlow)
        #expect(pair.server.service.counters.tooSlow == 1)
    }

    @Test("The peer's close takes the flow with it, after what it sent before; sending then says so")
    func closing() throws {
        let pair = try StreamPair()
        pair.client.service.send(Array(request(1).utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1))
        pair.client.service.close(pair.clientFlow)
        #expect(try pair.client.closed() == .local)
        #expect(try pair.server.closed() == .peer)
        #expect(!pair.server.service.send([1], on: pair.serverFlow))
        #expect(pair.server.service.counters.unsendable == 1)
    }

    @Test("Connections beyond what one source may have, or all may, are closed at once and counted where all proved themselves")
    func limits() throws {
        for (all, each) in [(2, 100), (100, 2)] {
            var settings = StreamSettings()
            settings.connections = all
            settings.connectionsPerAddress = each
            let pair = try StreamPair(server: settings)
            pair.server.service.prove(pair.serverFlow, isAccount: true)
            for number in 8...9 {
                let flow = StreamPair.flow(.tcp, to: pair.serverFlow.local, number: UInt64(number))
                pair.client.service.connect(flow)
                #expect(try pair.client.opened() == flow)
                guard number == 8 else { continue }
                let second = try pair.server.opened()
                #expect(second.connection == 2)
                pair.server.service.prove(second, isAccount: true)
            }
            #expect(try pair.client.closed() == .peer)
            let counters = pair.server.service.counters
            #expect(counters.refusedFull == (all == 2 ? 1 : 0))
            #expect(counters.refusedAddress == (each == 2 ? 1 : 0))
            // A place that becomes free can be taken.
            pair.client.service.close(pair.clientFlow)
            #expect(try pair.client.closed() == .local)
            #expect(try pair.server.closed() == .peer)
            let late = StreamPair.flow(.tcp, to: pair.serverFlow.local, number: 10)
            pair.client.service.connect(late)
            #expect(try pair.client.opened() == late)
            #expect(try pair.server.opened().connection == 3)
        }
    }

    @Test("A full inbox stops reading and loses nothing")
    func backPressure() throws {
        let pair = try StreamPair(serverCapacity: 3)
        let count = 3_000
        pair.client.service.send(Array((1...count).map { request($0, body: 200) }.joined().utf8), on: pair.clientFlow)
        for number in 1...count { #expect(try pair.server.message() == request(number, body: 200)) }
        #expect(pair.server.service.counters.pauses > 0)
    }

    @Test("A peer that does not read is closed once too much waits for it")
    func slowReader() throws {
        var settings = StreamSettings()
        settings.unsentBytes = 100_000
        let pair = try StreamPair(framing: .raw, server: settings, clientCapacity: 1)
        let message = [UInt8](repeating: UInt8(ascii: "x"), count: 50_000)
        var sent = 0
        while pair.server.service.send(message, on: pair.serverFlow) {
            sent += 1
            try #require(sent < 100_000)
        }
        #expect(try pair.server.closed() == .slowReader)
        #expect(pair.server.service.counters.slowReaders == 1)
    }

    @Test("Nobody listening: the connection never opens, and the system's reason is named", arguments: ["127.0.0.1", "::1"])
    func refused(address: String) throws {
        let end = StreamEnd()
        let other = StreamEnd()
        let port = try other.service.listen(.tcp, at: Endpoint(try #require(IPAddress(address)), 0))
        other.service.stop()
        let flow = StreamPair.flow(.tcp, to: port, number: 1)
        end.service.connect(flow)
        guard case .closed(flow, .unreachable(let reason)) = try end.next() else { throw CancellationError() }
        #expect(reason.contains("onnection refused"))
    }

    @Test("What is sent before a connection of ours stands follows when it does, in order")
    func sentAhead() throws {
        let server = StreamEnd()
        let client = StreamEnd()
        let bound = try server.service.listen(.tcp, at: try #require(Endpoint("127.0.0.1:0")))
        // The address is ours to choose, the port the kernel's.
        let flow = FlowID(.tcp, local: try #require(Endpoint("127.0.0.1:5060")), remote: bound, connection: 1 << 63)
        client.service.connect(flow)
        for number in 1...20 { #expect(client.service.send(Array(request(number).utf8), on: flow)) }
        _ = try server.opened()
        for number in 1...20 { #expect(try server.message() == request(number)) }
        #expect(try client.opened() == flow)
    }

    @Test("An occupied port is told by its error number")
    func occupied() throws {
        let one = StreamEnd()
        let other = StreamEnd()
        let bound = try one.service.listen(.tcp, at: try #require(Endpoint("127.0.0.1:0")))
        let error = #expect(throws: StreamError.self) { try other.service.listen(.tcp, at: bound) }
        #expect(error?.code == 98)
    }

    @Test("IPv4 and IPv6 listeners share a port")
    func sharedPort() throws {
        let end = StreamEnd()
        let v6 = try end.service.listen(.tcp, at: try #require(Endpoint("[::]:0")))
        #expect(try end.service.listen(.tcp, at: Endpoint(.v4(.any), v6.port)).port == v6.port)
    }

    @Test("Stopping closes every connection and says so")
    func stopping() throws {
        let pair = try StreamPair()
        pair.server.service.stop()
        #expect(try pair.server.closed() == .local)
        #expect(try pair.client.closed() == .peer)
        #expect(pair.server.service.connectionCount == 0)
    }
}
