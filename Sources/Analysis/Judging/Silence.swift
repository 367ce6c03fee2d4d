import Base
import Capture

/// How a request over TCP stays without an answer, and what that says.
enum Silence: Hashable {
    /// The server closes the connection instead.
    case closed
    /// Its system acknowledges the octets, and nothing more comes.
    case silent
    /// Not even TCP acknowledges them.
    /// `isFirst`: nothing of that direction ever was.
    case dead(isFirst: Bool)
    /// A segment of so many octets is never acknowledged, right after shorter ones were.
    case cut(octets: Int, longest: Int)
    /// The port speaks TLS.
    case secure

    struct Words {
        /// Continues `alice cannot call: `.
        var summary: String
        var details: [String]
        var culprit: Culprit
        var remedies: [Remedy]
    }

    func words(client: PackedEndpoint, server: PackedEndpoint, count: Int) -> Words {
        let (there, here) = (Judge.name(server), "\(client.address)")
        let count = "\(counted(count, "request")) went out over TCP, and no answer came, not even 100 Trying."
        let look = Remedy(
            .server, "Look whether the SIP program at \(there) is alive, and what its log says of the request.")
        let compare = Remedy(
            .network,
            "Compare with a smaller message; where only long ones get lost, lower the MTU or allow fragmentation (ICMP type 3 code 4)."
        )
        switch self {
        case .closed:
            return Words(
                summary: "\(there) closes the TCP connection instead of answering.",
                details: [count, "The server's FIN is all that came back."], culprit: .proved(there), remedies: [look, compare])
        case .silent:
            return Words(
                summary: "\(there) answers nothing over a TCP connection that stands.",
                details: [
                    count,
                    "Either the program there is dead while its system still takes connections, or larger packets do not get through (MTU), as in a VPN.",
                ], culprit: .between(here, there), remedies: [look, compare])
        case .dead(let isFirst):
            return dead(isFirst, here, there)
        case .cut(let octets, let longest):
            return Words(
                summary:
                    "a TCP segment of \(octets) octets to \(there) is never acknowledged, though one of \(longest) just was.",
                details: [
                    "\(there) had answered a moment before, so neither an idle connection nor a dead host explains it.",
                    "Either the path lets longer packets not through and nobody tells the sender (MTU), or a box on the way drops what it reads in it.",
                ], culprit: .between(here, there),
                remedies: [
                    compare,
                    Remedy(
                        .router, "Clamp the TCP MSS on the VPN or tunnel to what passes, or lower the MTU of its interface.",
                        commands: [
                            "Linux: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
                        ]),
                ])
        case .secure:
            return Words(
                summary: "\(there) speaks TLS on that port, and answers the plain SIP with an alert of TLS.",
                details: [count, "5061 is the port of SIP over TLS, 5060 that of SIP over UDP and TCP (RFC 3261 19.1.2)."],
                culprit: .proved(here),
                remedies: [
                    Remedy(
                        .phone, "Set the transport of \(here) to TLS, or the port to that on which the server speaks plain SIP.")
                ])
        }
    }

    private func dead(_ isFirst: Bool, _ here: String, _ there: String) -> Words {
        var remedies = [
            Remedy(
                .phone,
                "Keep the connection alive from the phone's side (CRLF every 90 s or less, RFC 5626 4.4.1), and register anew when it breaks."
            ),
            Remedy(.router, "Raise the time after which the router or firewall forgets idle TCP connections."),
        ]
        if isFirst {
            remedies = [
                Remedy(
                    .router, "Switch off what inspects SIP on the way (helper, ALG, firewall), or use TLS, which it cannot read.")
            ]
        }
        return Words(
            summary: isFirst
                ? "the TCP connection to \(there) opens, but nothing that is sent over it is acknowledged."
                : "the TCP connection to \(there) is dead, as nothing that is sent there is acknowledged any more.",
            details: [
                "The segment was sent four times or more; had \(there) got it, its system would have acknowledged it, whatever the SIP program does.",
                isFirst
                    ? "Something on the way lets the connection be opened and drops what it carries."
                    : "A router or firewall on the way that forgets an idle connection does so; a host that was switched off too.",
            ], culprit: .between(here, there), remedies: remedies)
    }
}
