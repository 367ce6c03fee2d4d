import Base
import SIP
import SIPStack
import Testing

@testable import ServeDaemon
@testable import ServerNode

@Suite("One stable line for each proved wrong password")
struct AuthFailureTests {
    private func authentication(_ user: String, _ failure: ServerTrace.Authentication.Failure?) -> ServerTrace.Authentication {
        let flow = FlowID(.udp, local: Endpoint("198.51.100.1:5060")!, remote: Endpoint("203.0.113.7:40000")!)
        return .init(
            flow: flow, username: SIPText(user), from: SIPText(), callID: SIPText("c"), cseq: 1, nonce: SIPText("n"),
            challenge: nil,
            verdict: .absent, failure: failure, isChanSIP: false)
    }

    @Test("It names address, port, user and reason, in this order and form")
    func form() {
        #expect(
            authentication("100", .wrongPassword).failureLine
                == "auth-failure ip=203.0.113.7 port=40000 user=100 reason=wrong-password")
        #expect(
            authentication("nobody@example.com", .unknownUser).failureLine
                == "auth-failure ip=203.0.113.7 port=40000 user=nobody@example.com reason=unknown-user")
    }

    @Test("A name that would end the field, or begin another line, is percent-encoded and cut")
    func hostile() {
        #expect(
            authentication("a b=c\nauth-failure ip=192.0.2.1", .unknownUser).failureLine
                == "auth-failure ip=203.0.113.7 port=40000 user=a%20b%3Dc%0Aauth-failure%20ip%3D192.0.2.1 reason=unknown-user")
        #expect(authentication("", .unknownUser).failureLine?.contains("user=- ") == true)
        let long = authentication(String(repeating: "x", count: 70_000), .unknownUser).failureLine
        #expect(long?.utf8.count == "auth-failure ip=203.0.113.7 port=40000 user= reason=unknown-user".utf8.count + 64)
    }

    @Test("Without a proof there is no line")
    func innocent() {
        #expect(authentication("100", nil).failureLine == nil)
    }
}
