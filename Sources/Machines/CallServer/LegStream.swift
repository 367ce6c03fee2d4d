import Base
import MediaControl
import RTP
import SDP
import SIP

/// Our end of one media stream of a leg.
struct LegStream: Sendable {
    let id: MediaLegID
    let port: PortPool.Port
    var kind: String
    var ice: ICECredentials?
    /// What we offered or answered in `a=crypto`.
    var crypto: [SDPCrypto] = []
    /// Whether the `m=` line of this leg says SAVP.
    var profile: MediaProfile = .avp
    var srtp: SRTPParameters?
    /// Whether our SDP says `a=rtcp-mux`.
    var saysMux = false
    var epoch: UInt32 = 0
    /// What the SDP said last.
    var signalled: Endpoint?
    /// Whether the media plane was told what both SDPs say.
    var isAgreed = false
    var bridgedTo: MediaLegID?
    /// Whether a service has it.
    var isServed = false
}

extension LegStream {
    /// As we say it: our port, our keys, our ICE.
    func relayed(at address: IPAddress) -> RelayedStream {
        let rtp = Endpoint(address, port.number)
        var side: SDPICE?
        if let ice {
            var candidates = [ICECandidate(foundation: "1", priority: ICECandidate.priority(.host), endpoint: rtp, kind: .host)]
            if !saysMux, profile.isRTP, port.number < .max {
                candidates.append(
                    ICECandidate(
                        foundation: "1", component: 2, priority: ICECandidate.priority(.host, component: 2),
                        endpoint: Endpoint(address, port.number + 1), kind: .host))
            }
            side = SDPICE(ufrag: ice.ufrag, password: ice.password, isLite: true, candidates: candidates, endsCandidates: true)
        }
        return RelayedStream(
            rtp: rtp, rtcp: saysMux ? .multiplexed : .adjacent, profile: profile, crypto: profile.isSecure ? crypto : [],
            ice: side)
    }
}

extension Array {
    /// nil past the end, or where nothing stands.
    func element<Wrapped>(_ index: Int) -> Wrapped? where Element == Wrapped? { index < count ? self[index] : nil }
}
