import Base
import LinuxEdge
import Serve
import ServerNode

extension ServeEvent {
    /// The sentence that the log tells; nil: nothing worth one.
    var text: String? {
        switch self {
        case .server(let trace): return trace.text
        case .listening(let service, let endpoint): return "\(service): listening on \(endpoint)"
        case .notListening(let service, let endpoint, let why): return "\(service): not listening on \(endpoint): \(why)"
        case .certificate(let file, let fingerprint):
            return "TLS certificate \(file ?? "(made for this run only)"), SHA-256 \(fingerprint)"
        case .media(let ports, let range, let codecs, let speaks):
            return "media: room for \(ports) streams on UDP \(range.lowerBound) to \(range.upperBound); rooms speak "
                + codecs.joined(separator: ", ") + (speaks ? "" : "; announcements in Morse until espeak-ng is installed")
        case .believesAnyone:
            return "media: taken from whoever sends first (media.source: any), be it a stranger who tries all ports"
        case .recording(.began(let file)): return "recording to \(file)"
        case .recording(.ended(let file, let seconds)): return "recorded \(Int(seconds)) s in \(file)"
        case .recording(.failed(let room, let reason)): return "room \(room) is not recorded: \(reason)"
        case .connected(let flow): return "\(flow.transport.viaToken) connection with \(flow.remote)"
        case .disconnected(let flow, let reason):
            return "\(flow.transport.viaToken) connection with \(flow.remote) ended: \(reason)"
        case .accounts(0): return "no accounts yet, so nobody can register; add one with: pinhole account add 100"
        case .accounts(let count): return "\(count) account\(count == 1 ? "" : "s")"
        case .warning(let text), .relief(let text), .trouble(let text): return text
        case .database(let path?): return "database: \(path)"
        case .database(nil): return "no database: there are no accounts, and nothing is stored"
        case .restored(0): return nil
        case .restored(let count): return "\(count) binding\(count == 1 ? "" : "s") restored from storage"
        case .clockSet(let step):
            let seconds = step.wholeSeconds
            return "the system's clock was set \(seconds < 0 ? "back" : "forward") by \(abs(seconds)) s"
        case .sendFailed(let destination, let error): return "could not send to \(destination): \(error)"
        case .draining(calls: 0, _): return "stopping"
        case .draining(let calls, let time):
            return
                "stopping: no new calls; \(calls) that run\(calls == 1 ? "s" : "") get\(calls == 1 ? "s" : "") \(time.wholeSeconds) s. "
                + "A second signal ends them at once"
        case .reloaded(let changes):
            return "configuration read again: " + (changes.isEmpty ? "nothing changed" : changes.joined(separator: ", "))
        case .stopped(let counters, let streams, let media):
            return "stopped: \(counters.received) messages in, \(counters.sent) out, \(counters.accepted) authenticated, "
                + "\(counters.stale) stale, \(counters.wrongPassword) wrong passwords, \(counters.mangled) mangled; "
                + "\(streams.accepted) connections, \(streams.unproved + streams.gaveWay) closed unproved, "
                + "\(streams.refusedFull + streams.refusedAddress + streams.foreignOrigins) refused; "
                + "\(media.reduce(0) { $0 + $1.received }) media packets in, \(media.reduce(0) { $0 + $1.forwarded + $1.sent }) out"
        }
    }
}
