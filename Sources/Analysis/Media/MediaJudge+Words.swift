import Base
import Capture

extension MediaJudge {
    func name(_ speaker: StreamSummary.Speaker) -> String { speaker == .caller ? "the caller" : "the callee" }

    func other(_ speaker: StreamSummary.Speaker) -> StreamSummary.Speaker { speaker == .caller ? .callee : .caller }

    /// Where an end signals from, as packets show it.
    func signals(_ call: CallMedia, _ leg: Int16, _ end: StreamSummary.Speaker) -> Endpoint? {
        guard let event = call.said(leg, caller: end == .caller), !event.packetSource.isUnknown else { return nil }
        return Endpoint(event.packetSource.address, event.packetSourcePort)
    }

    /// `the caller (192.0.2.1:5060)`.
    func named(_ call: CallMedia, _ leg: Int16, _ end: StreamSummary.Speaker) -> String {
        name(end) + (signals(call, leg, end).map { " (\($0))" } ?? "")
    }

    func evidence(_ event: MediaEvent, _ says: String) -> Evidence {
        let direction =
            switch event.direction {
            case .both: "sendrecv"
            case .send: "sendonly"
            case .receive: "recvonly"
            case .none: "inactive"
            }
        return Evidence(
            place: event.place, time: Instant(nanoseconds: event.time),
            source: event.packetSource.isUnknown ? nil : Endpoint(event.packetSource.address, event.packetSourcePort),
            excerpt: event.fax.map { "SDP: fax (T.38) at \(Endpoint($0.address.address, $0.port))" }
                ?? (event.flags.contains(.hasAudio)
                    ? "SDP: audio at \(event.endpoint), \(direction)" : "SDP: no audio"),
            says: says)
    }

    func evidence(_ stream: StreamSummary, _ says: String) -> Evidence {
        Evidence(
            place: stream.firstPlace, time: stream.first, source: stream.source, destination: stream.destination,
            excerpt: Self.describe(stream), says: says)
    }

    /// `RTP PCMU, SSRC 0x1a2b3c4d: 250 packets to frame 912, 20 lost (7.4 %), jitter 3.1 ms`.
    static func describe(_ stream: StreamSummary) -> String {
        let codec = stream.codec ?? "payload type \(stream.payloadType)"
        let lost =
            stream.lost > 0 ? ", \(stream.lost) lost (\(percent(Double(stream.lost) / Double(max(1, stream.expected)))))" : ""
        return
            "RTP \(codec), SSRC 0x\(String(stream.ssrc, radix: 16)): \(counted(stream.packets, "packet")) up to \(stream.lastPlace)\(lost), "
            + "jitter \(tenth(stream.meanJitter)) ms"
    }

    /// One decimal.
    static func tenth(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "?" }
        let tenths = Int((abs(value) * 10).rounded())
        return (value < 0 ? "-" : "") + "\(tenths / 10).\(tenths % 10)"
    }

    static func percent(_ share: Double) -> String { tenth(100 * share) + " %" }

    func subject(_ call: CallMedia, _ leg: Int16) -> FindingSubject {
        FindingSubject(
            dialogs: [call.dialog], client: signals(call, leg, .caller), server: signals(call, leg, .callee),
            vantage: Vantage(call.file))
    }

    func evidence(_ record: ICMPRecord, _ file: UInt16, _ says: String) -> Evidence {
        let what =
            switch (record.isIPv6, record.type, record.code) {
            case (false, 11, 0), (true, 3, 0): "time exceeded in transit"
            case (false, 11, _), (true, 3, _): "time exceeded in reassembly"
            case (false, 3, 4), (true, 2, _): "packet too big, MTU \(record.mtu)"
            case (false, _, 3), (true, _, 4): "port unreachable"
            case (false, _, 9), (false, _, 10), (false, _, 13), (true, _, 1): "administratively prohibited"
            case (false, _, 1), (true, _, 3): "host unreachable"
            default: "unreachable, code \(record.code)"
            }
        let about = record.quoted.map { " for \($0.sourceEndpoint) to \($0.destinationEndpoint)" } ?? ""
        return Evidence(
            place: .frame(file: Int(file), number: Int(clamping: record.frame)), time: record.time,
            source: Endpoint(record.source.address, 0), destination: Endpoint(record.destination.address, 0),
            excerpt: "ICMP \(what)\(about)", says: says)
    }
}
