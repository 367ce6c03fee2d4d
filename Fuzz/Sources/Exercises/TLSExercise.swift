import Base
import Capture
import Packet
import TLS

/// Runs the key log and the TLS streams over `bytes`, for fuzzers: they must not trap, pieces of a log must not matter.
///
/// A key log up to the first zero; then segments, each of flags (1: the server's, 2: the one before it is lost, 4: FIN), two octets of length, octets.
package func exerciseTLSReading(_ bytes: [UInt8]) {
    let split = bytes.firstIndex(of: 0) ?? bytes.endIndex
    let text = Array(bytes[..<split])
    let limits = TLSKeyLog.Limits(octets: 8_192, sessions: 16)
    var log = TLSKeyLog(limits: limits)
    log.read(text)
    log.endLine()
    var slow = TLSKeyLog(limits: limits)
    for octet in text { slow.read([octet]) }
    slow.endLine()
    precondition(slow.sessions == log.sessions && slow.strangeLines == log.strangeLines, "the pieces matter")

    var decoder = FrameDecoder(
        limits: .init(directions: 64, queuedOctets: 4_096, message: 8_192, octets: 65_536),
        tls: TLSReading(keys: log, primitives: .exercise, sessions: 4))
    var batch = PayloadBatch(capacity: 65_536)
    let ends = [Endpoint("192.0.2.20:41000")!, Endpoint("192.0.2.5:5061")!]
    var next: [UInt32] = [1, 1]
    var at = min(split + 1, bytes.count)
    func send(_ side: Int, _ flags: TCPHeader.Flags, _ payload: [UInt8]) {
        let segment = TCPSegment(
            from: ends[side], to: ends[1 - side], sequence: next[side], acknowledgment: next[1 - side], flags: flags,
            payload: payload)
        if let packet = try? segment.packet() {
            packet.withUnsafeBytes {
                decoder.append(
                    $0, wire: $0.count, at: Instant(nanoseconds: 0), link: .raw, linkType: LinkType.raw.rawValue, to: &batch)
            }
        }
        next[side] &+= UInt32(payload.count)
    }
    while at + 3 <= bytes.count {
        let flags = bytes[at]
        let end = min(bytes.count, at + 3 + Int(bytes[at + 1]) << 8 + Int(bytes[at + 2]))
        let side = Int(flags & 1)
        if flags & 2 != 0 { next[side] &+= 100 }
        send(side, flags & 4 != 0 ? [.ack, .fin] : [.ack], Array(bytes[(at + 3)..<end]))
        at = end
    }
    decoder.finish(&batch)
    for record in batch.records {
        precondition(!batch.payload(of: record).isEmpty, "a message of nothing")
        precondition(batch.frames(of: record).allSatisfy { $0 >= 1 && $0 <= decoder.notes.frames }, "a frame that is none")
    }
}

extension TLSPrimitives {
    /// Ciphers that any octets fit: what is in the records is read as it stands, unless it ends with an odd octet.
    fileprivate static let exercise = TLSPrimitives(
        hmac: { hash, _, _ in [UInt8](repeating: 0, count: hash.size) },
        open: { aead, _, _, _, sealed in
            guard let last = sealed.last, last & 1 == 0, sealed.count >= aead.tagSize else { return nil }
            return Array(sealed.dropLast(aead.tagSize))
        },
        decryptCBC: { _, _, blocks in blocks })
}
