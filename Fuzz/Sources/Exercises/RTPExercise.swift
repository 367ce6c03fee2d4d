import Base
import RTP

/// Runs everything that reads RTP and RTCP over `bytes`, for fuzzers: it must not trap.
///
/// The bytes are taken as one packet, and as a list of sequence numbers for the statistics.
package func exerciseRTPParser(_ bytes: [UInt8]) {
    _ = MediaPacketKind(bytes)
    if let header = RTPHeader(bytes) {
        precondition(header.payloadStart >= 12 && header.payloadStart <= header.payloadEnd)
        precondition(header.payloadEnd <= bytes.count && header.payloadCount >= 0)
        precondition(RTPHeader(bytes[...]) == header)
        _ = TelephoneEvent(bytes[header.payloadStart..<header.payloadEnd])?.digit
    }
    if let packet = RTPPacket(parsing: bytes) {
        precondition(RTPPacket(parsing: packet.bytes) == packet)
    }
    if let packets = try? RTCPPacket.parse(bytes) {
        // Texts that are no UTF-8 print as replacement characters, which may be longer: only those that stay must read back.
        _ = try? RTCPPacket.parse(RTCPPacket.compound(packets))
    }
    _ = ICECandidate(attribute: bytes[...])?.attributeValue
    var statistics = ReceptionStatistics()
    var now = Instant.epoch
    for at in stride(from: 0, to: max(0, bytes.count - 7), by: 4) {
        let word = bytes.uint32(at: at)
        now += .milliseconds(Int64(word & 0xff))
        statistics.receive(
            ssrc: word >> 30, sequence: UInt16(truncatingIfNeeded: word >> 8), timestamp: bytes.uint32(at: at + 4), at: now)
    }
    let pattern = statistics.lossPattern
    precondition(pattern.lossRate >= 0 && pattern.lossRate <= 1 && pattern.burstDensity <= 1)
    _ = statistics.report()
    let score = EModel(.pcmu, pattern, delay: statistics.jitterMilliseconds).meanOpinionScore
    precondition(score >= 1 && score < 4.5)
}
