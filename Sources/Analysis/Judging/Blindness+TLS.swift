import Base
import Capture
import TLS

extension Blindness {
    /// What of TLS could not be read, and why, worst first.
    static func from(_ notes: TLSNotes) -> [Blindness] {
        let groups = notes.unread.map { (why: $0.key, group: $0.value) }
            .sorted { ($1.group.count, words($0.why)) < ($0.group.count, words($1.why)) }
        var result = groups.map { why, group in
            let plural = group.count == 1
            let head = plural ? "1 TLS connection" : "\(group.count) TLS connections"
            return Blindness(
                .encrypted,
                "\(head) (\(servers(group))) cannot be read: \(words(why)). What went through \(plural ? "it" : "them") is not judged.",
                count: Int(clamping: group.count))
        }
        if notes.hasLateSecrets {
            result.append(
                Blindness(
                    .encrypted,
                    "Keys come in the file after the packets that need them: put them first, with editcap --inject-secrets, or give them with --keylog."
                ))
        }
        for gap in notes.breaks.prefix(4) {
            let (source, destination) = (
                Endpoint(gap.flow.source.address, gap.flow.sourcePort),
                Endpoint(gap.flow.destination.address, gap.flow.destinationPort)
            )
            let time = clock(gap.time)
            let text =
                gap.isResumed
                ? "A segment is missing in the TLS stream from \(source) to \(destination) at \(time) UTC: what it carried was not read."
                : "The TLS stream from \(source) to \(destination) could be read until \(time) UTC: a segment is missing."
            result.append(Blindness(.streamGaps, text))
        }
        if notes.broken > 4 {
            result.append(
                Blindness(
                    .streamGaps, "\(notes.broken - 4) more holes in TLS streams that could be read otherwise.",
                    count: Int(clamping: notes.broken - 4)))
        }
        if notes.damagedRecords > 0 {
            result.append(
                Blindness(
                    .streamGaps,
                    "\(notes.damagedRecords) TLS records do not open although their sessions do: they were altered or damaged on the way.",
                    count: Int(clamping: notes.damagedRecords)))
        }
        return result
    }

    /// `12:00:03`.
    private static func clock(_ nanoseconds: Int64) -> String {
        let day = 86_400 as Int64
        let second = ((nanoseconds / 1_000_000_000) % day + day) % day
        return [second / 3_600, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }

    private static func words(_ why: TLSNotes.Unread) -> String {
        switch why {
        case .noLog: "there is no key log; give one with --keylog"
        case .tooMany: "more are open at once than are followed"
        case .reason(.noKey): "the key log holds no secrets of it; one of the two ends must write it while the connection begins"
        case .reason(.noHandshake): "its handshake is not in the capture, which began later or lacks a part of it"
        case .reason(.suite(let number)): "its cipher suite is \(TLSCipherSuite.name(number)), which is not read here"
        case .reason(.version(let number)):
            number == 0x0300 ? "it speaks SSL 3.0" : "it speaks a version of TLS that is not known here"
        case .reason(.wrongKey): "the secrets that the key log gives for it do not fit"
        case .reason(.malformed): "its handshake contradicts itself"
        }
    }

    /// `192.0.2.1:5061, 2 with 192.0.2.7:443 and others`.
    private static func servers(_ group: TLSNotes.Group) -> String {
        let known = group.servers.sorted { ($1.value, $0.key.description) < ($0.value, $1.key.description) }
        guard known.count > 1 else { return known.first.map { "with \($0.key)" } ?? "with others" }
        let shown = known.prefix(3).map { "\($0.value) with \($0.key)" }.joined(separator: ", ")
        return known.count > 3 ? "\(shown), and others" : shown
    }
}
