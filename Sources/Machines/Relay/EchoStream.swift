import RTP

/// A party's stream as it goes back to it: under an SSRC of ours, since who hears its own takes it for a loop and is silent (RFC 3550 8.2). Where
/// the party begins another stream, ours goes on.
struct EchoStream: Sendable {
    let ssrc: UInt32
    private var theirs: UInt32?
    private var sequenceShift: UInt16 = 0
    private var timestampShift: UInt32 = 0
    /// The newest that went back.
    private var sequence: UInt16 = 0
    private var timestamp: UInt32 = 0
    private var step: UInt32 = 160

    init(ssrc: UInt32) { self.ssrc = ssrc }

    /// False: it is our own stream that came back; it would go round and round.
    mutating func rewrite(_ packet: UnsafeMutableRawBufferPointer, _ header: RTPHeader) -> Bool {
        guard header.ssrc != ssrc else { return false }
        if let theirs, theirs != header.ssrc {
            sequenceShift = sequence &+ 1 &- header.sequenceNumber
            timestampShift = timestamp &+ step &- header.timestamp
        }
        let isFirst = theirs == nil
        theirs = header.ssrc
        let number = header.sequenceNumber &+ sequenceShift
        let time = header.timestamp &+ timestampShift
        packet.storeBytes(of: number.bigEndian, toByteOffset: 2, as: UInt16.self)
        packet.storeBytes(of: time.bigEndian, toByteOffset: 4, as: UInt32.self)
        packet.storeBytes(of: ssrc.bigEndian, toByteOffset: 8, as: UInt32.self)
        guard isFirst || Int16(bitPattern: number &- sequence) > 0 else { return true }
        // What a pause or a digit makes of it is no length of a packet.
        if !isFirst, number &- sequence == 1, (1...5_760).contains(time &- timestamp) { step = time &- timestamp }
        sequence = number
        timestamp = time
        return true
    }
}
