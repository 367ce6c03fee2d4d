import Base

/// Turns HEPv3 packets into payload records: from datagrams, one TCP connection, or a file of packets one after another.
public struct HEPDecoder: ~Copyable {
    public private(set) var notes = CaptureNotes()
    /// Octets of the stream taken in so far.
    public private(set) var offset: UInt64 = 0
    private let file: Int
    /// The beginning of a packet that is not complete.
    private var carried: [UInt8] = []
    private var isLost = false

    /// `file`: index of the source among those analysed together.
    public init(file: Int = 0) { self.file = file }

    /// Empties the batch for the packets to come.
    public func begin(_ batch: inout PayloadBatch) {
        batch.removeAll()
        batch.file = file
    }

    /// One packet that fills a datagram. False: it is none.
    @discardableResult
    public mutating func datagram(_ bytes: UnsafeRawBufferPointer, into batch: inout PayloadBatch) -> Bool {
        offset &+= UInt64(bytes.count)
        return packet(bytes, into: &batch)
    }

    /// Octets of a stream, in any pieces.
    public mutating func stream(_ bytes: UnsafeRawBufferPointer, into batch: inout PayloadBatch) {
        offset &+= UInt64(bytes.count)
        guard !carried.isEmpty else {
            let used = packets(bytes, into: &batch)
            carried.append(contentsOf: bytes[used...])
            return
        }
        carried.append(contentsOf: bytes)
        var held: [UInt8] = []
        swap(&held, &carried)
        let used = held.withUnsafeBytes { packets($0, into: &batch) }
        held.removeFirst(used)
        swap(&held, &carried)
    }

    /// The stream has ended.
    public mutating func finish() {
        if !carried.isEmpty, !isLost {
            notes.note(.cutOff(missing: 0), at: offset &- UInt64(carried.count))
        }
        carried = []
    }

    /// Returns how many octets are done with.
    private mutating func packets(_ bytes: UnsafeRawBufferPointer, into batch: inout PayloadBatch) -> Int {
        var at = 0
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            guard rest.count >= HEPPacket.head else { return at }
            if let length = HEPPacket.length(rest), length >= HEPPacket.head {
                guard length <= rest.count else { return at }
                isLost = false
                packet(UnsafeRawBufferPointer(rebasing: rest[..<length]), into: &batch)
                at += length
                continue
            }
            if !isLost {
                notes.note(.hep, at: offset &- UInt64(rest.count))
                isLost = true
            }
            // On to what may be the next packet's head.
            at += 1
            while at < bytes.count, bytes[at] != 0x48 { at += 1 }
        }
        return at
    }

    @discardableResult
    private mutating func packet(_ bytes: UnsafeRawBufferPointer, into batch: inout PayloadBatch) -> Bool {
        let packet: HEPPacket
        do { packet = try HEPPacket(bytes) } catch {
            notes.note(.hep, at: offset)
            notes.malformed &+= 1
            return false
        }
        notes.count(at: packet.time.nanoseconds)
        let payload = UnsafeRawBufferPointer(rebasing: bytes[packet.payload])
        let content: ContentGuess
        switch packet.kind {
        case .sip, .rtp, .rtcp, .other: content = packet.isCompressed ? .other : ContentGuess(payload)
        case .rtcpJSON, .log: content = .other
        }
        guard content != .other, content != .empty else {
            notes.hepOther &+= 1
            return true
        }
        notes.contents[Int(content.rawValue)] &+= 1
        // A TCP payload that an agent took apart is a whole message, as a datagram is.
        batch.append(
            payload, from: packet.source, to: packet.destination, packet.ipProtocol == 6 ? .tcp : .udp, at: packet.time,
            frame: notes.frames, content: content)
        return true
    }
}
