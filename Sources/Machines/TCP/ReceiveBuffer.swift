/// What has arrived: in order for the reader, out of order until the gap is filled (RFC 9293 3.8, 3.10.7.4).
struct ReceiveBuffer: Sendable {
    struct Piece: Sendable {
        var sequence: SequenceNumber
        var bytes: [UInt8]
        var end: SequenceNumber { sequence + bytes.count }
    }

    /// RCV.NXT; counts the FIN once it was reached.
    private(set) var next: SequenceNumber
    /// Where the peer's FIN stands, as soon as that is known.
    private(set) var end: SequenceNumber?
    private let capacity: Int
    /// In order, not yet read.
    private var waiting: [UInt8] = []
    /// Beyond a gap, in order of their sequence, without overlaps.
    private var pieces: [Piece] = []
    private(set) var isHeld = false
    private var isEndRead = false
    /// Pieces are merged beyond this number, so that a peer that sends every second octet costs no more than its window.
    static let mostPieces = 256

    init(next: SequenceNumber, capacity: Int) {
        self.next = next
        self.capacity = min(max(capacity, 1), 65_535)
    }

    /// RCV.WND: what may come after `next`.
    var window: Int { max(0, capacity - waiting.count) }
    var hasGap: Bool { !pieces.isEmpty || (end.map { !isPast($0) } ?? false) }
    /// The FIN was reached.
    var isEnded: Bool { end.map { isPast($0) } ?? false }

    private func isPast(_ end: SequenceNumber) -> Bool { next.isAfter(end) }

    /// RFC 9293 3.4: whether any octet of a segment lies in the window.
    func accepts(_ sequence: SequenceNumber, length: Int) -> Bool {
        let first = sequence - next
        if length == 0 { return window == 0 ? first == 0 : first >= 0 && first < window }
        guard window > 0 else { return false }
        let last = first + length - 1
        return (first >= 0 && first < window) || (last >= 0 && last < window)
    }

    /// Takes the octets of a segment, and its FIN; false: they left a gap, or said nothing new.
    mutating func insert(_ sequence: SequenceNumber, _ payload: [UInt8], isLast: Bool) -> Bool {
        let limit = end ?? (next + window)
        var sequence = sequence
        var bytes = payload[...]
        if isLast, end == nil, (sequence + payload.count) - next <= window, !(sequence + payload.count).isBefore(next) {
            end = sequence + payload.count
        }
        if sequence.isBefore(next) {
            bytes = bytes.dropFirst(next - sequence)
            sequence = next
        }
        let room = limit - sequence
        bytes = bytes.prefix(max(0, room))
        let before = next
        if !bytes.isEmpty { add(Piece(sequence: sequence, bytes: Array(bytes))) }
        while let first = pieces.first, !first.sequence.isAfter(next) {
            pieces.removeFirst()
            let fresh = first.bytes.dropFirst(next - first.sequence)
            waiting += fresh
            next += fresh.count
        }
        if let end, next == end { next += 1 }
        return next != before
    }

    private mutating func add(_ piece: Piece) {
        guard pieces.count < Self.mostPieces || piece.sequence == next else { return }
        var place = pieces.count
        while place > 0, pieces[place - 1].sequence.isAfter(piece.sequence) { place -= 1 }
        pieces.insert(piece, at: place)
        // What a neighbour holds already is cut off.
        var index = max(place - 1, 0)
        while index + 1 < pieces.count {
            let overlap = pieces[index].end - pieces[index + 1].sequence
            if overlap <= 0 {
                index += 1
            } else if overlap >= pieces[index + 1].bytes.count {
                pieces.remove(at: index + 1)
            } else {
                pieces[index + 1].bytes.removeFirst(overlap)
                pieces[index + 1].sequence += overlap
                index += 1
            }
        }
    }

    /// What the reader may have now; empty while it is held.
    mutating func read() -> [UInt8] {
        guard !isHeld, !waiting.isEmpty else { return [] }
        defer { waiting = [] }
        return waiting
    }

    /// Once: everything was read and no more will come.
    mutating func readEnd() -> Bool {
        guard !isHeld, isEnded, waiting.isEmpty, !isEndRead else { return false }
        isEndRead = true
        return true
    }

    mutating func hold(_ isHeld: Bool) { self.isHeld = isHeld }
}
