import Base
import Capture

/// DTLS handshakes among media (RFC 5764, RFC 6347, RFC 9147): begun, answered, ended by an alert, completed; and the certificates shown in the
/// clear.
struct DTLSLedger: Sendable {
    /// What one end did.
    struct End: Sendable {
        /// Handshake messages in the clear.
        var messages = 0
        /// Records under the new keys came from it.
        var isProtected = false
        /// The first of its chain, DER; empty where none was seen whole.
        var certificate: [UInt8] = []
        /// Octets of a Certificate message, as far as they came in order.
        fileprivate var partial: [UInt8] = []
    }

    struct Handshake: Sendable {
        /// From the client to the server.
        let flow: MediaFlow
        /// Of the first ClientHello.
        let place: EvidencePlace
        let first: Int64
        var last: Int64
        var hellos = 0
        var client = End()
        var server = End()
        /// A fatal one in the clear.
        var alert: (code: UInt8, isOfClient: Bool, place: EvidencePlace, time: Int64)?

        var isCompleted: Bool { client.isProtected && server.isProtected }
    }

    static let mostHandshakes = 16_384
    /// A hello after that time begins another one, nanoseconds (RFC 6347 4.2.4.1: a minute at most between two).
    static let pause: Int64 = 64_000_000_000
    /// Octets of a Certificate message, and of all that are held at once.
    static let mostCertificate = 16_384
    static let mostHeld = 16 << 20

    private(set) var handshakes: [Handshake] = []
    private var index: [MediaFlow: Int] = [:]
    private var held = 0

    var isEmpty: Bool { handshakes.isEmpty }

    /// One datagram whose first octet is one of DTLS.
    mutating func datagram(_ p: Bytes, _ record: PayloadRecord, file: UInt16) {
        let flow = MediaFlow(
            file: file, source: MediaPlace(record.source, record.sourcePort),
            destination: MediaPlace(record.destination, record.destinationPort))
        var at = 0
        while at < p.count {
            // A head of its own protects (RFC 9147 4).
            if p[at] & 0xe0 == 0x20 { return note(flow) { $0.isProtected = true } }
            guard p.count - at >= 13, (20...26).contains(p[at]) else { return }
            let end = min(p.count, at + 13 + p.number16(at + 11))
            if p.number16(at + 3) > 0 {
                note(flow) { $0.isProtected = true }
            } else if p[at] == 22 {
                messages(p, at + 13, end, flow, record)
            } else if p[at] == 21, end - at == 15, p[at + 13] == 2 {
                alert(p[at + 14], flow, record)
            }
            at = max(end, at + 13)
        }
    }

    private mutating func messages(_ p: Bytes, _ from: Int, _ to: Int, _ flow: MediaFlow, _ record: PayloadRecord) {
        var at = from
        while to - at >= 12 {
            let (length, offset, part) = (p.number24(at + 1), p.number24(at + 6), p.number24(at + 9))
            if p[at] == 1 { hello(flow, record) } else { note(flow) { $0.messages += 1 } }
            if p[at] == 11, to - at - 12 >= part { certificate(p, at + 12, part, offset, length, flow) }
            at += 12 + part
        }
    }

    private mutating func hello(_ flow: MediaFlow, _ record: PayloadRecord) {
        let time = record.time.nanoseconds
        if let known = index[flow], !handshakes[known].isCompleted, time - handshakes[known].last <= Self.pause {
            handshakes[known].hellos += 1
            handshakes[known].last = time
        } else if handshakes.count < Self.mostHandshakes {
            index[flow] = handshakes.count
            let place = EvidencePlace(.frame, file: flow.file, number: UInt32(clamping: record.frame))
            handshakes.append(Handshake(flow: flow, place: place, first: time, last: time, hellos: 1))
        }
    }

    private mutating func alert(_ code: UInt8, _ flow: MediaFlow, _ record: PayloadRecord) {
        let place = EvidencePlace(.frame, file: flow.file, number: UInt32(clamping: record.frame))
        guard let (known, isClient) = find(flow), handshakes[known].alert == nil else { return }
        handshakes[known].alert = (code, isClient, place, record.time.nanoseconds)
    }

    /// A piece of a Certificate message; those that come out of order are waited for until they are sent again.
    private mutating func certificate(
        _ p: Bytes, _ from: Int, _ part: Int, _ offset: Int, _ length: Int, _ flow: MediaFlow
    ) {
        guard let (known, isClient) = find(flow), length > 6, length <= Self.mostCertificate, offset + part <= length else {
            return
        }
        let side = isClient ? \Handshake.client : \Handshake.server
        guard handshakes[known][keyPath: side].certificate.isEmpty, held <= Self.mostHeld else { return }
        if offset == 0 {
            held -= handshakes[known][keyPath: side].partial.count
            handshakes[known][keyPath: side].partial = []
        }
        guard handshakes[known][keyPath: side].partial.count == offset else { return }
        handshakes[known][keyPath: side].partial += p.array(Span(from, from + part))
        held += part
        guard offset + part == length else { return }
        let chain = handshakes[known][keyPath: side].partial
        let first = Int(chain[3]) << 16 | Int(chain[4]) << 8 | Int(chain[5])
        handshakes[known][keyPath: side].partial = []
        held -= chain.count
        guard first <= chain.count - 6, first > 0 else { return }
        handshakes[known][keyPath: side].certificate = Array(chain[6..<(6 + first)])
        held += first
    }

    private func find(_ flow: MediaFlow) -> (index: Int, isClient: Bool)? {
        if let known = index[flow.reversed] { return (known, false) }
        return index[flow].map { ($0, true) }
    }

    private mutating func note(_ flow: MediaFlow, _ change: (inout End) -> Void) {
        // Both ends may have begun one.
        if let known = index[flow] { change(&handshakes[known].client) }
        if let known = index[flow.reversed] { change(&handshakes[known].server) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func number16(_ at: Int) -> Int { Int(self[at]) << 8 | Int(self[at + 1]) }
    fileprivate func number24(_ at: Int) -> Int { number16(at) << 8 | Int(self[at + 2]) }
}

extension MediaAnalysis {
    /// A DTLS handshake for the call's media was seen to complete; known once `finish` was called.
    func hasHandshake(dialog: Int) -> Bool { protections[dialog]?.handshake == .completed }
}
