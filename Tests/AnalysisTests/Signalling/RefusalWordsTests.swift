import Analysis
import Base
import Testing

@Suite("What the first sentence says of refusals")
struct RefusalWordsTests {
    @Test("the first sentence tells a refusal in its sender's own words, and the legs of one call once")
    func words() {
        var talk = Talk.withoutNAT()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        var leg = talk
        (leg.call, leg.user) = ("leg", "4930")
        let second = leg.request("INVITE", "sip:bob@trunk.example", 1, body: Talk.sdp("203.0.113.10"))
        let trunk = Endpoint("203.0.113.30:5060")!
        talk.up(0, invite)
        talk.up(0.05, second, from: talk.server, to: trunk)
        talk.down(
            0.1, leg.response(403, to: second).replacing("403 Whatever", with: "403 Number not allowed"), to: talk.server,
            from: trunk)
        talk.down(0.15, talk.response(403, to: invite).replacing("403 Whatever", with: "403 Forbidden"))
        talk.later(60)
        #expect(
            talk.result().verdict.hasPrefix(
                "No NAT or ALG fault was found; 1 call failed with 403 Forbidden (\"Number not allowed\")"))
    }
}
