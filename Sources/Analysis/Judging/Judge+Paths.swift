import Base
import Capture

extension Judge {
    /// Shorter segments pass each path that IP allows to be (RFC 9293 3.7.1, RFC 791): their loss has another cause.
    private static let longestSafe = 1_000

    /// Whether what stalls is longer than what passed: the path is too narrow, and nobody tells the sender. A phone that says nothing
    /// any more was switched off.
    static func isNarrow(_ stall: ConnectionLedger.Stall) -> Bool {
        stall.octets >= longestSafe && stall.octets > stall.longest && (stall.isForServer || stall.isAwaited)
    }

    /// The same of a handshake's stall, on the ports whose connections are followed.
    static func isNarrow(_ stall: HandshakeLedger.Stall, _ port: UInt16) -> Bool {
        ConnectionLedger.isSIP(port) && stall.octets >= longestSafe && stall.octets > stall.longest
            && (stall.isOfClient || stall.isAwaited)
    }

    /// tcp.unanswered: long segments that never arrive over a connection on which short ones do (RFC 2923 2.1).
    func narrowPaths(_ ledger: ConnectionLedger, _ table: SignallingTable) -> [Finding] {
        ledger.stalls.values.filter(Self.isNarrow).sorted { $0.place < $1.place }.prefix(50).map { stall in
            let source = PackedEndpoint(stall.flow.source, stall.flow.sourcePort)
            let destination = PackedEndpoint(stall.flow.destination, stall.flow.destinationPort)
            let (from, to) = (Self.name(source), Self.name(destination))
            return Finding(
                .tcpUnanswered, .fault,
                "Long packets do not get through from \(from) to \(to): a TCP segment of \(stall.octets) octets was sent \(stall.sends) times within "
                    + "\(spoken(max(0, stall.until &- stall.since))) and never acknowledged"
                    + (stall.longest > 0 ? ", while shorter ones were." : ", though the connection stands."),
                details: [
                    stall.longest > 0
                        ? "The longest acknowledged segment of that direction has \(stall.longest) octets."
                        : "No other data went that way over this connection, so it is not proved that shorter segments pass.",
                    stall.isAwaited
                        ? "\(to) has spoken since, so it is there and still waits for it."
                        : "\(to) has said nothing since: if it is down, that is why.",
                    "A VPN, tunnel or PPPoE link lets less through than an Ethernet, and the ICMP error that would tell the sender is lost (a black hole, RFC 2923).",
                ],
                evidence: [
                    Evidence(
                        place: stall.place, time: Instant(nanoseconds: stall.until), source: source.endpoint,
                        destination: destination.endpoint, excerpt: "TCP segment of \(stall.octets) octets",
                        says: "sent again, and not acknowledged")
                ], culprit: .between(from, to), confidence: stall.longest > 0 || stall.isAwaited ? .likely : .possible,
                remedies: [
                    Remedy(
                        .router, "Clamp the TCP MSS on the VPN or tunnel to what passes, or lower the MTU of its interface.",
                        commands: [
                            "Linux: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
                            "WireGuard: MTU = 1380 in the interface",
                        ]),
                    Remedy(.network, "Let ICMP type 3 code 4 (IPv6: type 2) pass on the way back to \(source.address.address)."),
                    Remedy(.phone, "Shorten messages meanwhile: fewer codecs, no video, no ICE."),
                ],
                subject: FindingSubject(
                    dialogs: ledger.pending[stall.flow].map { [$0.dialog] } ?? [], client: source.endpoint,
                    server: destination.endpoint, vantage: Vantage(stall.place.file)))
        }
    }

    /// A registration whose connection was reset under it, and that went on over another: after a moment nothing was lost.
    func resumed(_ reset: ConnectionLedger.Reset, _ back: Int64, _ dialog: DialogState) -> [Finding] {
        guard let gap = elapsed(reset.time, back), gap > 5 * second else { return [] }
        return [
            Finding(
                .tcpRefused, .note,
                "The TCP connection of \(String(decoding: dialog.from, as: UTF8.self)) was reset (RST) under a REGISTER; it registered again "
                    + "\(spoken(gap)) later over another, and could not be called until then.",
                details: ["A server that restarts does so, or a box that forgot the connection."],
                evidence: [
                    Evidence(place: reset.request, excerpt: "the request"),
                    Evidence(
                        place: reset.place, time: Instant(nanoseconds: reset.time), source: reset.by.endpoint, excerpt: "TCP RST"),
                ], remedies: [Remedy(.phone, "Let the phone open a new connection at once when one is reset (RFC 5626).")],
                subject: FindingSubject(dialogs: [reset.dialog], vantage: dialog.vantage))
        ]
    }
}
