import Base
import SIP
import ServerNode
import Testing

@Suite("INFO, MESSAGE and what else passes: RFC 6086, RFC 3428, RFC 5626")
struct PassingOnTests {
    @Test("INFO with DTMF goes to the other phone and its answer comes back")
    func info() throws {
        let f = try CallFixture()
        try f.talk()
        let out = f.alice.send("INFO", extra: "Content-Type: application/dtmf-relay\r\n", body: "Signal=5\r\nDuration=160\r\n")
        let info = try #require(try f.bob.mine(out).first)
        #expect(info.method == .info && info.sdp == "Signal=5\r\nDuration=160\r\n")
        #expect(info.first(.contentType)?.value.string == "application/dtmf-relay")
        #expect(try f.statuses(f.bob.respond(200, to: info), f.alice) == [200])
    }

    @Test("An INFO the other phone does not know, or does not answer, is told; the call goes on", arguments: [415, 0])
    func infoRefused(_ status: Int) throws {
        let f = try CallFixture()
        try f.talk()
        let info = try #require(try f.bob.mine(f.alice.send("INFO")).first)
        let out = status == 0 ? f.h.advance(.seconds(33)) : f.bob.respond(status, to: info)
        #expect(try f.statuses(out, f.alice).last == (status == 0 ? 408 : 415))
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("MESSAGE goes to all instances; the first that takes it answers for all")
    func message() throws {
        let f = try CallFixture()
        let other = UA(f.h, "bob", at: "198.51.100.78:5070")
        try other.register()
        f.alice.remoteURI = "sip:bob@pinhole"
        f.alice.target = f.alice.remoteURI
        let plain = "Content-Type: text/plain\r\n"
        let challenge = try #require(try f.alice.mine(f.alice.send("MESSAGE", extra: plain, body: "hello")).first)
        #expect(challenge.statusCode == 401)
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        f.alice.authorization = Credentials(challenge: value).header(
            username: "alice", password: "secret", method: "MESSAGE", uri: "sip:bob@pinhole")
        let out = f.alice.send("MESSAGE", extra: plain, body: "hello")
        let first = try #require(try f.bob.mine(out).first)
        let second = try #require(try other.mine(out).first)
        #expect(first.sdp == "hello" && second.sdp == "hello")
        #expect(!first.contains(.authorization))
        #expect(try f.alice.mine(f.bob.respond(415, to: first)).isEmpty)
        #expect(try f.statuses(other.respond(200, to: second), f.alice) == [200])
        f.expectNothingLeft()
    }

    @Test("MESSAGE to a phone whose connection closes before it answers: 480 at once, not after 32 s")
    func messageOverLostConnection() throws {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5070", .tcp)
        try carol.register()
        f.alice.remoteURI = "sip:carol@pinhole"
        f.alice.target = f.alice.remoteURI
        let challenge = try #require(try f.alice.mine(f.alice.send("MESSAGE")).first)
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        f.alice.authorization = Credentials(challenge: value).header(
            username: "alice", password: "secret", method: "MESSAGE", uri: "sip:carol@pinhole")
        #expect(try carol.mine(f.alice.send("MESSAGE", body: "hello")).first?.method == .message)
        #expect(try f.statuses(f.h.input(.closed(carol.flow)), f.alice) == [480])
        f.expectNothingLeft()
    }

    @Test("MESSAGE to phones that are all gone: 480")
    func messageToNobody() throws {
        let f = try CallFixture()
        f.alice.remoteURI = "sip:bob@pinhole"
        f.alice.target = f.alice.remoteURI
        let challenge = try #require(try f.alice.mine(f.alice.send("MESSAGE")).first)
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        f.alice.authorization = Credentials(challenge: value).header(
            username: "alice", password: "secret", method: "MESSAGE", uri: "sip:bob@pinhole")
        f.alice.send("MESSAGE")
        #expect(try f.statuses(f.h.advance(.seconds(33)), f.alice).last == 480)
        f.expectNothingLeft()
    }

    @Test("A request inside a dialog with a CSeq that is not above the last: 500; of no dialog: 481")
    func order() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.send("INFO")
        f.alice.cseq -= 1
        f.alice.remoteTag = f.alice.remoteTag
        #expect(try f.statuses(f.h.receive(f.alice.text("INFO", branch: "z9hG4bKlate"), on: f.alice.flow), f.alice) == [500])
        f.alice.cseq += 5
        f.alice.localTag = "forged"
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [481])
        f.alice.localTag = "talice40000"
        f.alice.callID = "forged"
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [481])
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("RFC 5626 4.4.1: CRLF CRLF over a stream draws CRLF; a single CRLF, its answer, nothing")
    func pong() throws {
        let f = try CallFixture(alice: "203.0.113.7:40000", .tcp)
        let out = f.h.receive("\r\n\r\n", on: f.alice.flow)
        #expect(out.map(\.bytes) == [[13, 10]])
        #expect(f.h.receive("\r\n", on: f.alice.flow).isEmpty)
    }

    @Test("A closed connection takes its call along: the other side gets BYE, the closed one nothing", arguments: [true, false])
    func closed(_ caller: Bool) throws {
        let f = try CallFixture(.tcp)
        try f.talk()
        let (gone, stays) = caller ? (f.alice, f.bob) : (f.bob, f.alice)
        let out = f.h.input(.closed(gone.flow))
        #expect(try f.methods(out, stays) == ["BYE"])
        #expect(try gone.mine(out).isEmpty)
        f.expectNothingLeft()
    }

    @Test("A caller whose connection closes while it rings: the phones are cancelled")
    func closedWhileCalling() throws {
        let f = try CallFixture(.tcp)
        try f.ring()
        f.bob.respond(180)
        #expect(try f.methods(f.h.input(.closed(f.alice.flow)), f.bob) == ["CANCEL"])
        f.bob.respond(487)
        f.expectNothingLeft()
    }
}

extension CallFixture {
    convenience init(_ transport: SIPTransport) throws {
        try self.init(
            { _ in }, ports: [Array(stride(from: 20_000, to: 20_200, by: 2))], alice: "203.0.113.7:40000",
            bob: "198.51.100.77:5070",
            transport)
    }
}
