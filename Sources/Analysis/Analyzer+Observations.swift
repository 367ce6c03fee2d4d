import Base
import Capture
import SIP

extension Analyzer {
    /// One thing seen live, told by a trace or read from a log.
    public mutating func observe(_ observation: Observation) {
        var observation = observation
        if let source = observation.source, let destination = observation.destination, case .sip = observation.what {
            observation.place.file = side(
                observation.place.file, PackedAddress(source.address), PackedAddress(destination.address))
        }
        var envelope = Envelope(
            place: observation.place, time: Envelope.known(observation.time),
            source: observation.source.map { PackedEndpoint($0) } ?? .unknown,
            destination: observation.destination.map { PackedEndpoint($0) } ?? .unknown,
            isStream: observation.transport.map { $0 != .udp } ?? false,
            transport: observation.transport)
        envelope.isLogged = observation.place.kind == .line
        note(observation.place, envelope.time)
        switch observation.what {
        case .sip(let bytes, let isCut):
            envelope.isTruncated = isCut
            sip(bytes, envelope)
        case .stun(let bytes):
            table.counts.stun += 1
            bytes.withUnsafeBytes {
                table.stun.message($0, envelope)
                relays.message($0, envelope)
            }
            table.keepalive(envelope)
        case .rtp, .rtcp:
            mediaPacket(observation)
        case .icmp(let type, let code, let source, let destination):
            table.counts.icmp += 1
            let flow = PackedFlow(
                source: PackedAddress(source.address), source.port, destination: PackedAddress(destination.address),
                destination.port,
                .udp)
            let note = ICMPNote(
                place: observation.place, time: envelope.time, source: envelope.source.address, type: type, code: code, count: 1)
            table.icmp(flow, note)
            relays.icmp(flow, note)
        case .keepalive:
            table.counts.other += 1
            table.keepalive(envelope)
        case .remark(let remark):
            self.remark(remark, text: "", observation.place, envelope.time)
        case .prose(let text):
            devices.prose(text, observation.place)
        }
    }

    /// `isOfUnnamed`: a log whose program has no address sent it, or got it; nil for all else.
    mutating func sip(_ bytes: [UInt8], _ envelope: Envelope, isOfUnnamed isSent: Bool? = nil) {
        bytes.withUnsafeBytes { p in
            guard let facts = MessageFacts(p, isCut: envelope.isTruncated && !envelope.isLogged) else {
                if ContentGuess(p) == .keepalive {
                    table.keepalive(envelope)
                } else {
                    table.counts.malformed += 1
                }
                return
            }
            if let isSent { noteProgram(facts, p, isSent: isSent, file: envelope.place.file) }
            message(facts, p, envelope)
        }
    }

    /// A sentence of a log judges the request before it.
    mutating func remark(_ remark: LogRemark, text: String, _ place: EvidencePlace, _ time: Int64) {
        guard let latestRequest, latestRequest.place.file == place.file else {
            if remark == .staleNonce {
                let first =
                    lonelyStale[place.file]?.first ?? Remark(remark: remark, place: place, time: time, request: place, text: text)
                lonelyStale[place.file] = (first, (lonelyStale[place.file]?.count ?? 0) + 1)
            }
            return
        }
        guard table.remarks[latestRequest.dialog]?.count ?? 0 < Self.mostRemarks else { return }
        table.remarks[latestRequest.dialog, default: []].append(
            Remark(remark: remark, place: place, time: time, request: latestRequest.place, text: text))
    }

    /// Keeps a source's extent where nobody else tells it.
    private mutating func note(_ place: EvidencePlace, _ time: Int64) {
        let index = Int(place.file)
        guard index < sources.count, sources[index].kind != .capture else { return }
        sources[index].frames = max(sources[index].frames, Int(place.number))
        guard time != MessageRecord.unknownTime else { return }
        let instant = Instant(nanoseconds: time)
        if sources[index].first == nil { sources[index].first = instant }
        sources[index].last = max(sources[index].last ?? instant, instant)
    }

    private mutating func mediaPacket(_ observation: Observation) {
        guard let source = observation.source, let destination = observation.destination, observation.time != nil else {
            return
        }
        let time = Instant(nanoseconds: Envelope.known(observation.time))
        let bytes: [UInt8]
        switch observation.what {
        case .rtp(let payload):
            bytes = payload
            table.counts.rtp += 1
        case .rtcp(let payload):
            bytes = payload
            table.counts.rtcp += 1
        default: return
        }
        guard options.analyzesMedia else { return }
        var batch = PayloadBatch(capacity: 65_536)
        batch.append(bytes, from: source, to: destination, .udp, at: time, frame: UInt64(observation.place.number))
        guard let record = batch.records.first else { return }
        media.packet(record, file: observation.place.file, batch.payload(of: record))
    }
}
