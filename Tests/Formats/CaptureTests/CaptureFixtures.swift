import Base
import Capture
import Packet
import TLS

/// Ends used throughout, as text is easier to read.
let phone = Endpoint("192.168.1.20:5060")!
let server = Endpoint("203.0.113.5:5060")!
let phone6 = Endpoint("[2001:db8::20]:5060")!
let server6 = Endpoint("[2001:db8::5]:5060")!

/// A SIP message that fills about `size` octets.
func sipMessage(_ number: Int = 1, size: Int = 0) -> [UInt8] {
    let body = String(repeating: "a=x\r\n", count: size / 5)
    return Array(
        """
        OPTIONS sip:example.com SIP/2.0\r
        Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(number)\r
        Call-ID: \(number)@example.com\r
        CSeq: \(number) OPTIONS\r
        Content-Length: \(body.utf8.count)\r
        \r
        \(body)
        """.utf8)
}

func udp(_ payload: [UInt8], from source: Endpoint = phone, to destination: Endpoint = server, id: UInt16 = 7) -> [UInt8] {
    try! IPPacket.bytes(of: Datagram(from: source, to: destination, payload), IPOptions(identification: id))
}

/// `start` bounds of UInt32 values in the file's byte order.
struct PcapText {
    var swapped = false
    var isNanosecond = false
    var link = LinkType.raw.rawValue
    var records: [(seconds: UInt32, fraction: UInt32, frame: [UInt8], wire: Int?)] = []

    func word(_ value: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: swapped ? value.byteSwapped : value)
        return bytes
    }

    var bytes: [UInt8] {
        var bytes = word(isNanosecond ? 0xa1b2_3c4d : 0xa1b2_c3d4) + (swapped ? [2, 0, 4, 0] : [0, 2, 0, 4])
        bytes += word(0) + word(0) + word(65_535) + word(link)
        for record in records {
            bytes += word(record.seconds) + word(record.fraction) + word(UInt32(record.frame.count))
            bytes += word(UInt32(record.wire ?? record.frame.count)) + record.frame
        }
        return bytes
    }

    /// One frame a second.
    init(_ frames: [[UInt8]], link: LinkType = .raw, swapped: Bool = false, isNanosecond: Bool = false) {
        self.swapped = swapped
        self.isNanosecond = isNanosecond
        self.link = link.rawValue
        records = frames.enumerated().map { (UInt32($0.offset + 1), 0, $0.element, nil) }
    }
}

/// A payload as a test wants to see it.
struct Seen: Equatable {
    var frame: UInt64
    var time: Instant
    var source: Endpoint
    var destination: Endpoint
    var transport: PayloadTransport
    var content: ContentGuess
    var flags: PayloadRecord.Flags
    var frames: [UInt64]
    var bytes: [UInt8]
}

struct Decoded {
    var seen: [Seen] = []
    var icmp: [ICMPRecord] = []
    var events: [StreamEvent] = []
    var notes = CaptureNotes()

    var payloads: [[UInt8]] { seen.map(\.bytes) }
    var texts: [String] { payloads.map { String(decoding: $0, as: UTF8.self) } }

    mutating func add(_ batch: borrowing PayloadBatch) {
        for record in batch.records {
            seen.append(
                Seen(
                    frame: record.frame, time: record.time, source: record.sourceEndpoint,
                    destination: record.destinationEndpoint,
                    transport: record.transport, content: record.content, flags: record.flags.subtracting(.inArea),
                    frames: batch.frames(of: record), bytes: batch.bytes(of: record)))
        }
        icmp += batch.icmp
        events += batch.streamEvents
    }
}

/// Decodes a file, given in chunks of so many octets.
func decode(
    _ file: [UInt8], chunk: Int = 1 << 20, limits: CaptureDecoder.Limits = .init(), tls: TLSReading? = nil
) -> Decoded {
    var decoder = CaptureDecoder(limits: limits, tls: tls)
    var batch = PayloadBatch(capacity: 65_536)
    var result = Decoded()
    var at = 0
    while at < file.count {
        let end = min(file.count, at + chunk)
        decoder.feed(Array(file[at..<end]), into: &batch)
        result.add(batch)
        at = end
    }
    decoder.finish(&batch)
    result.add(batch)
    result.notes = decoder.notes
    return result
}

/// Decodes IP packets, one a second.
func decode(packets: [[UInt8]]) -> Decoded { decode(PcapText(packets).bytes) }

/// One direction of a TCP connection in the making.
struct TCPScript {
    var client = Endpoint("192.168.1.20:40000")!
    var server = Endpoint("203.0.113.5:5060")!
    var clientNext: UInt32 = 1_000
    var serverNext: UInt32 = 9_000
    var packets: [[UInt8]] = []

    init(handshake: Bool = true) {
        guard handshake else { return }
        segment(fromClient: true, at: clientNext, flags: .syn)
        clientNext &+= 1
        segment(fromClient: false, at: serverNext, flags: [.syn, .ack])
        serverNext &+= 1
        segment(fromClient: true, at: clientNext, flags: .ack)
    }

    mutating func segment(fromClient: Bool, at sequence: UInt32, flags: TCPHeader.Flags = [.ack, .psh], _ payload: [UInt8] = []) {
        packets.append(packet(fromClient: fromClient, at: sequence, flags: flags, payload))
    }

    func packet(
        fromClient: Bool, at sequence: UInt32, flags: TCPHeader.Flags = [.ack, .psh], acknowledging: UInt32? = nil,
        _ payload: [UInt8] = []
    ) -> [UInt8] {
        let other = fromClient ? serverNext : clientNext
        return try! TCPSegment(
            from: fromClient ? client : server, to: fromClient ? server : client, sequence: sequence,
            acknowledgment: acknowledging ?? (flags.contains(.ack) ? other : 0), flags: flags, payload: payload
        ).packet()
    }

    /// Octets in order, in one segment.
    mutating func send(_ payload: [UInt8], fromClient: Bool = true) {
        segment(fromClient: fromClient, at: fromClient ? clientNext : serverNext, payload)
        if fromClient { clientNext &+= UInt32(payload.count) } else { serverNext &+= UInt32(payload.count) }
    }
}
