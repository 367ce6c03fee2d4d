import Base

/// Reads a pcap or pcapng file chunk by chunk: frames, packets, payloads.
///
/// The reader repeats: `begin` a batch, put octets into its space, `decode` how many; at the file's end `finish`. Octets of a
/// frame that is not complete yet wait in the decoder. Whatever the octets are, nothing traps; `notes` tells what was amiss.
public struct CaptureDecoder: ~Copyable {
    /// What is believed and held at most.
    public struct Limits: Sendable {
        /// Octets of one record or block.
        public var block: UInt32
        public var streams: StreamTable.Limits

        public init(block: UInt32 = 16 << 20, streams: StreamTable.Limits = .init()) {
            self.block = max(block, PcapFile.mostRecordOctets + 64)
            self.streams = streams
        }
    }

    enum Container {
        /// Fewer octets than tell what it is.
        case unknown
        case pcap(PcapState)
        case pcapng(PcapNGState)
        case snoop(LinkType?, number: UInt32)
        case netMon(NetMonState)
        /// Not a capture, or one whose head cannot be read.
        case refused
    }

    /// What became visible and what did not.
    public var notes: CaptureNotes { frames.notes }
    /// Octets of the file taken in so far.
    public internal(set) var offset: UInt64 = 0

    var container = Container.unknown
    var frames: FrameDecoder
    let limits: Limits
    private let file: Int
    /// The beginning of a frame or block that is not complete.
    private var carried: [UInt8] = []
    /// Octets the next frame or block needs in one piece.
    var wanted = 0
    /// Where the last walk stopped another file begins: somebody joined files end to end.
    var isNextFile = false

    /// `file`: index of the file among those analysed together. `tls`: what TLS is read with; nil: it is not.
    public init(file: Int = 0, limits: Limits = Limits(), tls: TLSReading? = nil) {
        self.file = file
        self.limits = limits
        frames = FrameDecoder(limits: limits.streams, tls: tls)
    }

    /// Empties the batch and puts back what was left over.
    public mutating func begin(_ batch: inout PayloadBatch) {
        batch.removeAll()
        batch.file = file
        batch.input.grow(to: max(wanted, carried.count) + 65_536, keeping: 0)
        carried.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { batch.input.start.copyMemory(from: start, byteCount: bytes.count) }
        }
        batch.filled = carried.count
        carried.removeAll(keepingCapacity: true)
    }

    /// `count` octets were put into the batch's space: sorts out every complete frame.
    public mutating func decode(_ batch: inout PayloadBatch, adding count: Int) {
        precondition(count >= 0 && batch.filled + count <= batch.input.capacity, "more octets than there was space")
        batch.filled += count
        offset &+= UInt64(count)
        let used = walk(&batch)
        frames.settle()
        if used < batch.filled {
            carried.append(contentsOf: UnsafeRawBufferPointer(start: batch.input.start + used, count: batch.filled - used))
        }
    }

    /// The file has ended: what is still incomplete is accounted for, streams give what they hold.
    public mutating func finish(_ batch: inout PayloadBatch) {
        batch.removeAll()
        batch.file = file
        settleTail(&batch)
        let left = carried.count
        if left > 0 {
            frames.notes.note(.cutOff(missing: max(0, wanted - left)), at: offset &- UInt64(left))
            carried.removeAll()
        } else if offset == 0 {
            frames.notes.note(.magic(0), at: 0)
        } else if case .netMon(let state) = container, let missing = state.missing(at: offset) {
            frames.notes.note(.cutOff(missing: missing), at: offset)
        }
        frames.finish(&batch)
    }

    /// The compression around the file is damaged here, or (`isBomb`) expands beyond belief: what follows is lost.
    public mutating func noteShortfall(isBomb: Bool) { frames.notes.note(isBomb ? .bomb : .compression, at: offset) }

    /// Begins the batch, copies the chunk in and decodes it: for those who have the octets already.
    public mutating func feed(_ chunk: [UInt8], into batch: inout PayloadBatch) {
        begin(&batch)
        batch.input.grow(to: batch.filled + chunk.count, keeping: batch.filled)
        chunk.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress {
                (batch.input.start + batch.filled).copyMemory(from: start, byteCount: bytes.count)
            }
        }
        decode(&batch, adding: chunk.count)
    }

    /// Returns how many octets of the batch are done with.
    private mutating func walk(_ batch: inout PayloadBatch) -> Int {
        let base = offset &- UInt64(batch.filled)
        var at = 0
        while true {
            if case .unknown = container {
                guard let used = open(UnsafeRawBufferPointer(start: batch.input.start, count: batch.filled), at) else {
                    return at
                }
                at = used
            }
            switch container {
            case .unknown, .refused:
                return batch.filled
            case .pcap(var state):
                at = walkPcap(&batch, from: at, base: base, &state)
                container = .pcap(state)
            case .pcapng(var state):
                at = walkPcapNG(&batch, from: at, base: base, &state)
                container = .pcapng(state)
            case .snoop(let link, let number):
                at = walkSnoop(&batch, from: at, base: base, link, number)
            case .netMon(var state):
                let used = walkNetMon(&batch, from: at, base: base, &state)
                if case .netMon = container { container = .netMon(state) }
                at = used
            }
            guard isNextFile else { return at }
            isNextFile = false
            container = .unknown
        }
    }

    /// Whether a capture file begins at `at`, where a record or block should: nil to wait for more octets.
    func beginsFile(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Bool? {
        guard at + 12 <= bytes.count else { return nil }
        func word(_ place: Int) -> UInt32 { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at + place, as: UInt32.self)) }
        if word(0) == 0x0a0d_0d0a { return word(8) == 0x1a2b_3c4d || word(8) == 0x4d3c_2b1a }
        guard let state = PcapState(magic: word(0)) else { return false }
        guard at + 24 <= bytes.count else { return nil }
        return state.word(bytes, at + 4) == (state.swapped ? 0x0004_0002 : 0x0002_0004)
            && state.word(bytes, at + 16) <= limits.block
    }

    /// The last records behind damage have no other to vouch for them: the file's end does.
    private mutating func settleTail(_ batch: inout PayloadBatch) {
        guard case .pcap(var state) = container, let lost = state.lost else { return }
        begin(&batch)
        let bytes = UnsafeRawBufferPointer(start: batch.input.start, count: batch.filled)
        let place = tail(bytes, state)
        frames.notes.note(
            .skipped(octets: (lost > 1 ? lost : 0) &+ UInt64(place)), at: offset &- UInt64(batch.filled - place))
        state.lost = nil
        container = .pcap(state)
        let used = walkPcap(&batch, from: place, base: offset &- UInt64(batch.filled), &state)
        if used < batch.filled { carried.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[used...])) }
    }

    /// Tells the container from its head. Returns how many octets of it to skip; nil to wait for more.
    private mutating func open(_ whole: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        let bytes = UnsafeRawBufferPointer(rebasing: whole[at...])
        guard bytes.count >= 4 else {
            wanted = 4
            return nil
        }
        let magic = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
        if magic == 0x0a0d_0d0a {
            container = .pcapng(PcapNGState())
            return at
        }
        if magic == NetMonState.first || magic == NetMonState.second {
            guard bytes.count >= NetMonState.headLength else {
                wanted = NetMonState.headLength
                return nil
            }
            container = .netMon(NetMonState(bytes))
            frames.notes.interfaces &+= 1
            return at + NetMonState.headLength
        }
        if magic == 0x736e_6f6f {
            guard bytes.count >= 16 else {
                wanted = 16
                return nil
            }
            let number = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            // RFC 1761's own numbers: IEEE 802.3 and Ethernet are the same here.
            container = .snoop(number == 0 || number == 4 ? .ethernet : nil, number: number)
            frames.notes.interfaces &+= 1
            return at + 16
        }
        guard var state = PcapState(magic: magic) else {
            frames.notes.note(.magic(magic), at: 0)
            container = .refused
            return whole.count
        }
        guard bytes.count >= 24 else {
            wanted = 24
            return nil
        }
        frames.notes.snapLength = state.word(bytes, 16)
        // The upper bits may hold a frame check sequence length.
        state.linkType = state.word(bytes, 20) & 0x0fff_ffff
        if state.word(bytes, 4) == 0x0002_0002 { state.becomeAIX() }
        state.link = LinkType(rawValue: state.linkType)
        container = .pcap(state)
        frames.notes.interfaces &+= 1
        return at + 24
    }
}
