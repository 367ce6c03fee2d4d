import Base
import Capture

/// TLS handshakes of SIP (RFC 8446, RFC 5246) that came to nothing: ended by an alert, or dropped before the server said a word.
struct HandshakeLedger: Sendable {
    typealias Key = ConnectionLedger.Key

    /// One client's handshakes with one server.
    struct Attempts: Sendable {
        var client: PackedEndpoint
        var hello: EvidencePlace
        var time: Int64
        var tried = 0
        /// The server answered, and no alert came.
        var stood = 0
        /// Closed or reset before the server answered.
        var dropped = 0
        var alerts = 0
        /// The first alert.
        var alert: Alert?
        /// Handshakes that stuck, as one end's octets never arrived.
        var stuck = 0
        var stall: Stall?
        var end: EvidencePlace?
    }

    struct Alert: Sendable {
        var description: UInt8
        var isOfClient: Bool
        var place: EvidencePlace
        /// The server had answered: version and cipher were agreed.
        var isAnswered: Bool
        /// The client had been asked for a certificate, and had none.
        var lacksCertificate: Bool
    }

    struct Stall: Sendable {
        /// Of the segment that was sent again and again.
        var octets: Int
        /// Of the longest that was acknowledged; 0 for none.
        var longest: Int
        var sends: Int
        var isOfClient: Bool
        /// The other side has spoken since.
        var isAwaited: Bool
        var place: EvidencePlace
    }

    private struct Handshake: Sendable {
        var key: Key
        /// Nanoseconds.
        var began: Int64
        var isAnswered = false
        var lacksCertificate = false
        var stall: Stall?
    }

    static let mostServers = 4_096
    static let mostOpen = 65_536
    private static let longestHandshake: Int64 = 10_000_000_000

    /// A client that waited less gave the server no time to answer.
    private static let patience: Int64 = 500_000_000

    private(set) var attempts: [Key: Attempts] = [:]
    /// By the client's flow.
    private var open: [PackedFlow: Handshake] = [:]

    mutating func event(_ event: StreamEvent, file: UInt16) {
        let flow = event.flow
        let place = EvidencePlace(.frame, file: file, number: UInt32(clamping: event.frame))
        switch event.kind {
        case .tls: begins(flow, place, event, file)
        case .tlsAlert(let description): alert(flow, description, place)
        case .reset, .closed:
            guard let side = open[flow] != nil ? flow : open[flow.reversed] != nil ? flow.reversed : nil,
                let handshake = open.removeValue(forKey: side)
            else { return }
            // A phone that thinks better of it at once, as with two servers of which one answered first.
            if !handshake.isAnswered, event.flow == side, let waited = elapsed(handshake.began, event.time.nanoseconds),
                waited < Self.patience
            {
                return
            }
            attempts[handshake.key]?.end = place
            if let stall = handshake.stall {
                attempts[handshake.key]?.stuck += 1
                if attempts[handshake.key]?.stall == nil { attempts[handshake.key]?.stall = stall }
                return
            }
            if handshake.isAnswered { attempts[handshake.key]?.stood += 1 } else { attempts[handshake.key]?.dropped += 1 }
        case .tlsNoCertificate: open[flow]?.lacksCertificate = true
        case .stalled(let octets, let longest, let sends, let since, let isAwaited):
            let isOfClient = open[flow] != nil
            let side = isOfClient ? flow : flow.reversed
            // Later it is no matter of the handshake.
            guard let handshake = open[side], elapsed(handshake.began, since.nanoseconds) ?? 0 < Self.longestHandshake else {
                return
            }
            open[side]?.stall = Stall(
                octets: octets, longest: longest, sends: sends, isOfClient: isOfClient, isAwaited: isAwaited, place: place)
        case .moved: open[open[flow] != nil ? flow : flow.reversed]?.stall = nil
        case .opening, .reopening, .opened, .refused, .gap, .webSocket, .resynchronised: return
        }
    }

    private mutating func begins(_ flow: PackedFlow, _ place: EvidencePlace, _ event: StreamEvent, _ file: UInt16) {
        if open[flow.reversed] != nil {
            open[flow.reversed]?.isAnswered = true
            return
        }
        guard Self.isForServer(flow), open.count < Self.mostOpen else { return }
        let key = Key(file: file, client: flow.source, server: PackedEndpoint(flow.destination, flow.destinationPort))
        if attempts[key] == nil {
            guard attempts.count < Self.mostServers else { return }
            attempts[key] = Attempts(
                client: PackedEndpoint(flow.source, flow.sourcePort), hello: place, time: event.time.nanoseconds)
        }
        attempts[key]?.tried += 1
        open[flow] = Handshake(key: key, began: event.time.nanoseconds)
    }

    private mutating func alert(_ flow: PackedFlow, _ description: UInt8, _ place: EvidencePlace) {
        // A farewell, or somebody's change of mind.
        guard description != 0, description != 90 else { return }
        let isOfClient = open[flow] != nil
        guard let handshake = open.removeValue(forKey: isOfClient ? flow : flow.reversed) else { return }
        attempts[handshake.key]?.alerts += 1
        if attempts[handshake.key]?.alert == nil {
            attempts[handshake.key]?.alert = Alert(
                description: description, isOfClient: isOfClient, place: place, isAnswered: handshake.isAnswered,
                lacksCertificate: handshake.lacksCertificate)
        }
    }

    /// SIP over TLS (RFC 3261 19.1.2), and the ports on which PBXs offer secure WebSockets.
    private static func isSecure(_ port: UInt16) -> Bool { port == 5_061 || port == 8_089 || port == 7_443 }

    /// A client's flow: to a port of SIP over TLS, or to that of plain SIP by mistake.
    private static func isForServer(_ flow: PackedFlow) -> Bool {
        if isSecure(flow.destinationPort) { return !isSecure(flow.sourcePort) }
        return flow.destinationPort == 5_060 && flow.sourcePort != 5_060 && !isSecure(flow.sourcePort)
    }

    /// With what is still under way as the capture ends.
    var settled: [Key: Attempts] {
        var result = attempts
        for handshake in open.values {
            guard let stall = handshake.stall else {
                if handshake.isAnswered { result[handshake.key]?.stood += 1 }
                continue
            }
            result[handshake.key]?.stuck += 1
            if result[handshake.key]?.stall.map({ stall.place < $0.place }) ?? true { result[handshake.key]?.stall = stall }
        }
        return result
    }
}
