import Base
import Capture

extension Analyzer {
    /// A stretch of a capture, in order of its frames. `reading`: its messages, if they are read already. `file`: the source's index.
    public mutating func observe(_ batch: borrowing PayloadBatch, _ reading: BatchReading = BatchReading(), file: Int) {
        let whole = UInt16(clamping: file)
        let isSplit = file < splits.count && splits[file] != nil
        var told = 0
        var read = 0
        for index in batch.records.indices {
            let record = batch.records[index]
            // What became of connections before, so that an answer after a reset is known to be one.
            while told < batch.streamEvents.count, batch.streamEvents[told].frame < record.frame {
                tell(batch.streamEvents[told], whole)
                told += 1
            }
            let file = isSplit ? side(whole, record.source, record.destination) : whole
            switch record.content {
            case .rtp, .rtcp:
                if record.content == .rtp { table.counts.rtp += 1 } else { table.counts.rtcp += 1 }
                if options.analyzesMedia { media.packet(record, file: file, batch.payload(of: record)) }
            case .sip:
                let bytes = batch.payload(of: record)
                let facts = read < reading.messages.count ? reading.messages[read] : BatchReading.facts(record, bytes)
                read += 1
                guard let facts else {
                    table.counts.malformed += 1
                    continue
                }
                message(facts, bytes, envelope(record, file))
            case .stun:
                table.counts.stun += 1
                let envelope = envelope(record, file)
                table.stun.message(batch.payload(of: record), envelope)
                relays.message(batch.payload(of: record), envelope)
                if options.analyzesMedia {
                    media.check(batch.payload(of: record), record, file: file)
                    if media.relay(batch.payload(of: record), record, file: file) { table.counts.rtp += 1 }
                }
                table.keepalive(envelope)
            case .keepalive, .empty:
                table.counts.other += 1
                table.keepalive(envelope(record, file))
            case .dtls:
                table.counts.other += 1
                if options.analyzesMedia { media.handshake(batch.payload(of: record), record, file: file) }
            case .channelData where options.analyzesMedia && media.channelData(batch.payload(of: record), record, file: file):
                table.counts.rtp += 1
            case .other, .channelData, .hep:
                table.counts.other += 1
                if !media.faxes.isEmpty, record.transport == .udp { media.faxes.packet(record, file: file) }
                if !media.handshakes.isEmpty, record.transport == .udp {
                    media.handshake(batch.payload(of: record), record, file: file)
                }
                if record.transport == .udp, record.sourcePort == 53 || record.destinationPort == 53 {
                    names.datagram(batch.payload(of: record), envelope(record, file))
                }
            }
        }
        for event in batch.streamEvents[told...] { tell(event, whole) }
        for index in batch.icmp.indices {
            // The datagram that it quotes has been where the error is seen.
            let record = batch.icmp[index]
            icmp(record, record.quoted.map { side(whole, $0.source, $0.destination) } ?? whole)
        }
    }

    private mutating func tell(_ event: StreamEvent, _ whole: UInt16) {
        let file = side(whole, event.flow.source, event.flow.destination)
        connections.event(event, file: file)
        handshakes.event(event, file: file)
    }

    /// The source that something belongs to, where one file shows both sides of a router.
    func side(_ file: UInt16, _ source: PackedAddress, _ destination: PackedAddress) -> UInt16 {
        guard Int(file) < splits.count, let (split, outside) = splits[Int(file)] else { return file }
        return split.isInside(source, destination) ? file : outside
    }

    private func envelope(_ record: PayloadRecord, _ file: UInt16) -> Envelope {
        let isTimeless = !timeless.isEmpty && timeless.contains(file)
        var envelope = Envelope(
            place: EvidencePlace(.frame, file: file, number: UInt32(clamping: record.frame)),
            time: isTimeless ? MessageRecord.unknownTime : record.time.nanoseconds,
            source: PackedEndpoint(record.source, record.sourcePort),
            destination: PackedEndpoint(record.destination, record.destinationPort), isStream: record.transport != .udp,
            transport: record.transport.sipTransport,
            isTruncated: !record.flags.isDisjoint(with: BatchReading.cut),
            isFragmented: !record.flags.isDisjoint(with: [.ipFragment, .reassembled]),
            isMiscounted: record.flags.contains(.miscounted), ipID: record.ipID)
        envelope.isLogged = isTimeless
        return envelope
    }

    private mutating func icmp(_ record: ICMPRecord, _ file: UInt16) {
        table.counts.icmp += 1
        if options.analyzesMedia { media.icmp(record, file: file) }
        guard let flow = record.quoted else { return }
        let note = ICMPNote(
            place: EvidencePlace(.frame, file: file, number: UInt32(clamping: record.frame)), time: record.time.nanoseconds,
            source: record.source, type: record.type, code: record.code, count: 1)
        table.icmp(flow, note)
        relays.icmp(flow, note)
    }

    /// What the decoder could not read becomes blindness of the source; its numbers become the source's.
    public mutating func blind(_ notes: CaptureNotes, in vantage: Vantage) {
        guard Int(vantage.index) < sources.count else { return }
        let index = Int(vantage.index)
        sources[index].frames = Int(clamping: notes.frames)
        if !timeless.contains(vantage.index) {
            sources[index].first = notes.firstTime.map { Instant(nanoseconds: $0) }
            sources[index].last = notes.lastTime.map { Instant(nanoseconds: $0) }
        }
        sources[index].blindness += Blindness.from(notes)
        for other in sources.indices where sources[other].holder == index {
            (sources[other].frames, sources[other].first, sources[other].last) =
                (sources[index].frames, sources[index].first, sources[index].last)
        }
    }
}
