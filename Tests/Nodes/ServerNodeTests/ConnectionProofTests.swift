import Base
import SIP
import ServerNode
import Testing

@Suite("Which connections may stay")
struct ConnectionProofTests {
    static let stream = Harness.flow(Harness.phone, .tcp)

    @Test(
        "A right digest lets a connection stay, a challenge, a wrong password and a ping do not",
        arguments: [SIPTransport.tcp, .tls, .wss])
    func digest(transport: SIPTransport) throws {
        let h = Harness()
        let stream = Harness.flow(Harness.phone, transport)
        h.receive("\r\n\r\n", on: stream)
        #expect(try h.register(password: "wrong", on: stream).statusCode == 401)
        h.receive(Self.request("OPTIONS", ""), on: stream)
        #expect(h.proved.isEmpty)
        #expect(try h.register(Register(callID: "c2"), on: stream).statusCode == 200)
        #expect(h.proved.map(\.flow) == [stream])
        #expect(h.proved.map(\.by) == [.account])
    }

    @Test("UDP has no connections that could stay")
    func udp() throws {
        let h = Harness()
        _ = try h.register()
        #expect(h.proved.isEmpty)
    }

    @Test("A stranger's call that is admitted lets his connection stay, and vouches for no account", arguments: [true, false])
    func strangersCall(isWelcome: Bool) throws {
        var settings = ServerSettings()
        settings.calls.anonymousCalls = isWelcome
        let h = Harness(settings)
        h.input(.mediaPorts([Array(stride(from: 20_000, to: 20_040, by: 2))]))
        h.receive(Self.request("INVITE", "Contact: <sip:x@203.0.113.7>\r\n"), on: Self.stream)
        #expect(h.proved.map(\.flow) == (isWelcome ? [Self.stream] : []))
        #expect(h.proved.map(\.by) == (isWelcome ? [.call] : []))
        // Whom nobody has heard of is no call.
        let strange = Harness.flow(Endpoint(Harness.phone.address, 40_002), .tcp)
        h.receive(Self.request("INVITE", "Contact: <sip:x@203.0.113.7>\r\n", to: "nobody", callID: "c9"), on: strange)
        #expect(h.proved.allSatisfy { $0.flow == Self.stream })
    }

    private static func request(_ method: String, _ extra: String, to user: String = "600", callID: String = "c7") -> String {
        "\(method) sip:\(user)@pinhole SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.7;branch=z9hG4bK\(callID)\r\nMax-Forwards: 70\r\n"
            + "From: <sip:x@elsewhere.example>;tag=1\r\nTo: <sip:\(user)@pinhole>\r\nCall-ID: \(callID)\r\nCSeq: 1 \(method)\r\n\(extra)"
            + "Content-Length: 0\r\n\r\n"
    }
}
