import Analysis
import Base
import Capture

/// Two phones, a tap, and what it sees: RTP and the facts of signalling, in virtual time.
struct MediaScene {
    /// How one stream is sent.
    struct Talk {
        var seconds = 6.0
        var payloadType: UInt8 = 0
        /// Milliseconds a packet, and clock units a packet.
        var packetTime = 20
        var step: UInt32 = 160
        var ssrc: UInt32 = 0x1234
        var sequence = 1_000
        var timestamp: UInt32 = 5_000
        /// Whether the packet of that number is lost, and whether there is speech at all.
        var isLost: (Int) -> Bool = { _ in false }
        var speaks: (Int) -> Bool = { _ in true }
        /// Nanoseconds by which it comes late.
        var late: (Int) -> Int64 = { _ in 0 }
        /// The timestamps go on while there is no speech (RFC 3551 4.1).
        var clockRunsInSilence = true
    }

    static let start = Instant(seconds: 1_700_000_000)
    static let caller = Endpoint("198.51.100.5:5060")!
    static let callee = Endpoint("203.0.113.9:5060")!
    static let callerAudio = Endpoint("198.51.100.5:4000")!
    static let calleeAudio = Endpoint("203.0.113.9:8000")!

    var media = MediaAnalysis()
    private var frame: UInt64 = 0
    private var pending: [(at: Int64, from: Endpoint, to: Endpoint, bytes: [UInt8], file: UInt16)] = []

    init(mostStreams: Int = 16_384) { media = MediaAnalysis(mostStreams: mostStreams) }

    static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: start.nanoseconds + Int64((seconds * 1e9).rounded())) }

    static func rtp(_ type: UInt8, _ sequence: Int, _ timestamp: UInt32, _ ssrc: UInt32, marker: Bool = false, payload: Int = 160)
        -> [UInt8]
    {
        var bytes: [UInt8] = [0x80, type | (marker ? 0x80 : 0)]
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: sequence))
        bytes.append(bigEndian: timestamp)
        bytes.append(bigEndian: ssrc)
        return bytes + [UInt8](repeating: 0xd5, count: payload)
    }

    /// Queued; `run` feeds everything in order of time.
    mutating func say(
        _ from: Endpoint, _ to: Endpoint, at seconds: Double, file: UInt16 = 0, _ change: (inout Talk) -> Void = { _ in }
    ) {
        var talk = Talk()
        change(&talk)
        var sent = 0
        var stamp = talk.timestamp
        var wasSilent = true
        for number in 0..<Int(talk.seconds * 1_000 / Double(talk.packetTime)) {
            guard talk.speaks(number) else {
                wasSilent = true
                if talk.clockRunsInSilence { stamp &+= talk.step }
                continue
            }
            let bytes = Self.rtp(talk.payloadType, talk.sequence + sent, stamp, talk.ssrc, marker: wasSilent)
            wasSilent = false
            sent += 1
            stamp &+= talk.step
            guard !talk.isLost(number) else { continue }
            let at = Self.at(seconds).nanoseconds + Int64(number * talk.packetTime) * 1_000_000 + talk.late(number)
            pending.append((at, from, to, bytes, file))
        }
    }

    mutating func packet(_ bytes: [UInt8], _ from: Endpoint, _ to: Endpoint, at seconds: Double, file: UInt16 = 0) {
        pending.append((Self.at(seconds).nanoseconds, from, to, bytes, file))
    }

    mutating func icmp(
        from box: IPAddress, about from: Endpoint, _ to: Endpoint, at seconds: Double, type: UInt8 = 3, code: UInt8 = 3
    ) {
        frame += 1
        media.icmp(
            ICMPRecord(
                frame: frame, time: Self.at(seconds), source: PackedAddress(box), destination: PackedAddress(from.address),
                isIPv6: false,
                type: type, code: code,
                quoted: PackedFlow(
                    source: PackedAddress(from.address), from.port, destination: PackedAddress(to.address), to.port, .udp),
                quotedProtocol: 17, quotedID: 0, mtu: 0), file: 0)
    }

    static func sdp(_ audio: Endpoint, _ direction: String? = nil, formats: [String] = ["0 PCMU/8000"], extra: [String] = [])
        -> [UInt8]
    {
        let family = audio.address.isIPv6 ? "IP6" : "IP4"
        var lines = [
            "v=0", "o=- 1 1 IN \(family) \(audio.address)", "s=-", "c=IN \(family) \(audio.address)", "t=0 0",
            "m=audio \(audio.port) RTP/AVP " + formats.map { String($0.prefix { $0 != " " }) }.joined(separator: " "),
        ]
        lines += formats.map { "a=rtpmap:\($0)" } + extra
        if let direction { lines.append("a=\(direction)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    mutating func fact(
        _ what: CallFact.What, dialog: Int = 0, leg: Int = 0, fromCaller: Bool, at seconds: Double, file: Int = 0,
        source: Endpoint? = nil, destination: Endpoint? = nil
    ) {
        frame += 1
        media.call(
            CallFact(
                dialog: dialog, leg: leg, place: .frame(file: file, number: Int(frame)), time: Self.at(seconds),
                source: source ?? (fromCaller ? Self.caller : Self.callee),
                destination: destination ?? (fromCaller ? Self.callee : Self.caller), isFromCaller: fromCaller, what: what))
    }

    /// Offer at `began`, answer one second later, and, if told, an end.
    mutating func call(
        dialog: Int = 0, leg: Int = 0, began: Double = 0, ended: Double? = nil, file: Int = 0, offer: [UInt8] = sdp(callerAudio),
        answer: [UInt8] = sdp(calleeAudio), source: Endpoint = caller, destination: Endpoint = callee
    ) {
        fact(
            .description(offer, isAnswer: false), dialog: dialog, leg: leg, fromCaller: true, at: began, file: file,
            source: source,
            destination: destination)
        fact(
            .description(answer, isAnswer: true), dialog: dialog, leg: leg, fromCaller: false, at: began + 1, file: file,
            source: destination, destination: source)
        fact(
            .answered, dialog: dialog, leg: leg, fromCaller: false, at: began + 1, file: file, source: destination,
            destination: source)
        if let ended {
            fact(
                .ended, dialog: dialog, leg: leg, fromCaller: true, at: ended, file: file, source: source,
                destination: destination)
        }
    }

    /// Another call, heard both ways, in the same capture.
    mutating func neighbour(at seconds: Double = 0, file: UInt16 = 0, dialog: Int = 90) {
        let one = Endpoint("198.51.100.77:6000")!
        let two = Endpoint("203.0.113.77:6000")!
        call(
            dialog: dialog, began: seconds, ended: seconds + 5, file: Int(file), offer: Self.sdp(one), answer: Self.sdp(two),
            source: Endpoint(one.address, 5060), destination: Endpoint(two.address, 5060))
        say(one, two, at: seconds + 1, file: file) {
            $0.seconds = 4; $0.ssrc = 77
        }
        say(two, one, at: seconds + 1, file: file) {
            $0.seconds = 4; $0.ssrc = 78
        }
    }

    /// Feeds what is queued.
    mutating func feed() {
        var batch = PayloadBatch()
        for packet in pending.sorted(by: { $0.at < $1.at }) {
            frame += 1
            batch.removeAll()
            batch.append(packet.bytes, from: packet.from, to: packet.to, .udp, at: Instant(nanoseconds: packet.at), frame: frame)
            let record = batch.records[0]
            if record.content == .dtls || (packet.bytes.first ?? 0) & 0xe0 == 0x20 {
                media.handshake(batch.payload(of: record), record, file: packet.file)
            } else {
                if record.content == .other { media.faxes.packet(record, file: packet.file) }
                media.packet(record, file: packet.file, batch.payload(of: record))
            }
        }
        pending = []
    }

    mutating func finish() -> (findings: [Finding], streams: [StreamSummary]) {
        feed()
        return media.finish()
    }

    /// Names and severities of what accuses, in order of names.
    mutating func accusations() -> [String] {
        finish().findings.filter { $0.severity.accuses }.map {
            "\($0.name.rawValue) \($0.severity.rawValue) \($0.subject.dialogs)"
        }.sorted()
    }
}
