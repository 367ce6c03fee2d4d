import Base
import Capture

extension Judge {
    /// tcp.unanswered and tcp.refused of a server that calls a phone over TCP, as the Contact says that the phone registered over UDP.
    func wrongTransport(
        _ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts, _ table: SignallingTable
    ) -> Finding? {
        for dialog in table.dialogs where dialog.kind == .registration && dialog.progress.contains(.answered) {
            guard
                dialog.legs.contains(where: {
                    !$0.isStream && $0.server.address == key.client && $0.client.address == key.server.address
                }), let (record, text) = register(dialog, table)
            else { continue }
            let isRefused = attempts.refused > 0
            // It goes back to UDP, and gets through.
            let isReached = table.dialogs.contains { other in
                other.kind == .call && other.progress.contains(.bothWays)
                    && other.legs.contains {
                        !$0.isStream && $0.client.address == key.client && $0.server.address == key.server.address
                    }
            }
            if isRefused, isReached { return nil }
            let aor = String(decoding: dialog.to.isEmpty ? dialog.from : dialog.to, as: UTF8.self)
            return Finding(
                isRefused ? .tcpRefused : .tcpUnanswered, .fault,
                "\(attempts.client.endpoint.address) cannot call \(aor): it opens a TCP connection to \(Self.name(key.server)), as the Contact of the phone "
                    + "says (transport=tcp), and \(isRefused ? "it is refused (RST)" : "nobody answers"); the phone registers over UDP.",
                details: [
                    "\(counted(max(1, attempts.tried), "connection")) tried, and \(isRefused ? "nothing listens there" : "neither SYN-ACK nor RST came back")."
                ],
                evidence: [
                    Evidence(
                        place: record.place, time: record.time, source: table.endpoints[record.source].endpoint,
                        destination: table.endpoints[record.destination].endpoint,
                        excerpt: MessageExcerpt.excerpt(text, ["Contact", "Via", "CSeq"]), says: "registers over UDP"),
                    syn(key, attempts),
                ],
                culprit: .proved(Self.name(table.endpoints[record.source])),
                remedies: [
                    Remedy(
                        .phone,
                        "Set the transport of the phone's account to UDP, so that its Contact says so, or register over TCP."),
                    Remedy(
                        .server, "Send calls over the connection or flow that the phone registered with, whatever Contact says."),
                ],
                subject: FindingSubject(
                    aor: aor, client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
                count: max(1, attempts.tried))
        }
        return nil
    }

    /// The latest REGISTER whose Contact asks for TCP.
    private func register(_ dialog: DialogState, _ table: SignallingTable) -> (MessageRecord, [UInt8])? {
        var at = dialog.lastRecord
        while at >= 0, Int(at) < table.records.count {
            let record = table.records[Int(at)]
            if record.isRequest, record.method == .register, !record.marks.contains(.overStream), record.length > 0 {
                let (start, end) = (Int(record.offset), Int(record.offset) + Int(record.length))
                guard end <= dialog.text.count else { return nil }
                let text = Array(dialog.text[start..<end])
                let asks = MessageExcerpt.fields(text).contains {
                    $0.name == "Contact" && $0.value.lowercased().contains("transport=tcp")
                }
                return asks ? (record, text) : nil
            }
            at = record.previous
        }
        return nil
    }
}
