import Base
import Capture

extension Judge {
    /// Shorter pauses on a connection let no firewall forget it.
    private static let idle: Int64 = 60 * second
    /// A reset this soon after a request answers it.
    private static let atOnce: Int64 = 2 * second

    /// tcp.refused: connections that were reset under a request, one finding for each server that does so in the same manner.
    ///
    /// Only where the request stayed without an answer in its dialog: another connection may have carried it on.
    func resetConnections(_ ledger: ConnectionLedger, _ table: SignallingTable) -> [Finding] {
        struct Group: Hashable {
            var client: PackedAddress
            var server: PackedEndpoint
            var kind: DialogKind
            var isAnswer: Bool
        }
        var groups: [Group: [ConnectionLedger.Reset]] = [:]
        var mended: [Finding] = []
        for reset in ledger.resets where reset.dialog < table.dialogs.count {
            let dialog = table.dialogs[reset.dialog]
            if let back = reset.back {
                if dialog.kind == .registration, mended.count < 50 { mended += resumed(reset, back, dialog) }
                continue
            }
            guard dialog.kind == .call || dialog.kind == .registration,
                !dialog.progress.contains(.answered) && !dialog.progress.contains(.finalResponse)
                    // A refresh after which nothing more came of the phone.
                    || dialog.kind == .registration && dialog.last <= reset.time
            else { continue }
            let waiting = reset.waiting
            // Not idle before it, and reset at once: the request itself is refused.
            let isAnswer =
                reset.by == waiting.destination && (elapsed(waiting.time, reset.time) ?? .max) < Self.atOnce
                && (waiting.idle.map { $0 < Self.idle } ?? false)
            groups[
                Group(client: waiting.source.address, server: waiting.destination, kind: dialog.kind, isAnswer: isAnswer),
                default: []
            ].append(reset)
        }
        return mended
            + groups.values.sorted { $0[0].place < $1[0].place }.prefix(50).map { resets in
                let isAnswer = groups.contains { $0.key.isAnswer && $0.value[0].place == resets[0].place }
                return resetConnection(resets, isAnswer: isAnswer, table)
            }
    }

    private func resetConnection(
        _ resets: [ConnectionLedger.Reset], isAnswer: Bool, _ table: SignallingTable
    ) -> Finding {
        let reset = resets[0]
        let dialog = table.dialogs[reset.dialog]
        let what = dialog.kind == .call ? "The call" : "The registration"
        let server = Self.name(reset.waiting.destination)
        let sizes = resets.map(\.waiting.size)
        return Finding(
            .tcpRefused, .fault,
            "\(what) of \(String(decoding: dialog.from, as: UTF8.self)) failed: "
                + (isAnswer
                    ? "\(server) resets the TCP connection (RST) on the request instead of answering it."
                    : "its TCP connection was reset (RST) before anybody answered."),
            details: (isAnswer
                ? [
                    "The connection was not idle: it carried another message \(spoken(reset.waiting.idle ?? 0)) before.",
                    "The request has \(sizes.min() ?? 0)\(sizes.min() == sizes.max() ? "" : " to \(sizes.max() ?? 0)") octets.",
                ] : []) + [
                    "The reset came from \(Self.name(reset.by)), or from a box that speaks in its name: one that \(isAnswer ? "dislikes the message" : "forgot the connection") does."
                ],
            evidence: [
                Evidence(
                    place: reset.request, time: Instant(nanoseconds: reset.waiting.time), source: reset.waiting.source.endpoint,
                    destination: reset.waiting.destination.endpoint, excerpt: "the request"),
                Evidence(
                    place: reset.place, time: Instant(nanoseconds: reset.time), source: reset.by.endpoint, excerpt: "TCP RST"),
            ],
            remedies: isAnswer
                ? [
                    Remedy(
                        .server,
                        "See in the log of \(server) why it breaks off: a limit on how long a message may be, or one it cannot read."
                    ),
                    Remedy(.phone, "Make the request smaller: fewer codecs and headers."),
                ]
                : [
                    Remedy(
                        .phone,
                        "Let the phone open a new connection when one is reset, and keep it alive (RFC 5626, CRLF every 90 s or less)."
                    ),
                    Remedy(.router, "Raise the time after which the firewall forgets idle TCP connections."),
                ], subject: FindingSubject(dialogs: resets.map(\.dialog), vantage: dialog.vantage), count: resets.count)
    }
}
