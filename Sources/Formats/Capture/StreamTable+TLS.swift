import Base
import TLS

/// TLS among the streams: each direction's records, told whose they are, opened, and their text framed as a stream of its own.
extension StreamTable {
    /// A key log out of the file.
    mutating func add(secrets: UnsafeRawBufferPointer, _ notes: inout CaptureNotes) {
        guard tls != nil else { return }
        let had = tls!.keys.sessions.count
        tls!.keys.read(secrets)
        tls!.keys.endLine()
        let lacked = (notes.tls.unread[.noLog]?.count ?? 0) + (notes.tls.unread[.reason(.noKey)]?.count ?? 0)
        if tls!.keys.sessions.count > had, lacked > 0 { notes.tls.hasLateSecrets = true }
    }

    /// Octets came into a direction that speaks TLS. `isNew`: they told so.
    mutating func secured(
        _ place: Int, isNew: Bool, _ context: FrameDecoder.Context, _ parts: [UInt64], _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) {
        let there = index[directions[place].flow.reversed].map(Int.init)
        if isNew, !(there.map { directions[$0].isTLS } ?? false) {
            notes.tls.connections &+= 1
            if directions[place].mode == .tls { notes.tls.leave(.noLog, server(place)) }
        }
        guard directions[place].mode == .records else { return }
        let before = directions[place].heldOctets + (there.map { directions[$0].heldOctets } ?? 0)
        if directions[place].session < 0 { meet(place, there, &notes) }
        readRecords(place, there, context, parts, &batch, &notes)
        if let there, directions[there].isWaiting { readRecords(there, place, context, [], &batch, &notes) }
        held += directions[place].heldOctets + (there.map { directions[$0].heldOctets } ?? 0) - before
    }

    /// Octets are missing before what comes next.
    mutating func securedGap(
        _ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        let there = index[directions[place].flow.reversed].map(Int.init)
        let before = directions[place].heldOctets + (there.map { directions[$0].heldOctets } ?? 0)
        defer { held += directions[place].heldOctets + (there.map { directions[$0].heldOctets } ?? 0) - before }
        directions[place].pending = []
        directions[place].frames = []
        directions[place].isWaiting = false
        let number = directions[place].session
        guard let side = directions[place].side, tls?.sessions[number]?.connection.interrupted(side) == true else {
            giveUp(place, there, .noHandshake, context, &batch, &notes)
            return
        }
        if directions[place].plain.isEmpty {
            var plain = StreamDirection(directions[place].flow, mode: .searching(attempts: 0))
            plain.isAfterGap = true
            directions[place].plain = [plain]
        }
        interruptPlain(place, context, &batch)
        if side == .client {
            if tls!.sessions[number]!.clientGap == nil { tls!.sessions[number]!.clientGap = context.time }
        } else if tls!.sessions[number]!.serverGap == nil {
            tls!.sessions[number]!.serverGap = context.time
        }
    }

    /// What the text of a direction lacks to be a message is given as it is.
    mutating func interruptPlain(_ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch) {
        guard var plain = directions[place].plain.popLast() else { return }
        var framing = StreamFraming(limits: limits, context: context, parts: [], sequence: 0, origin: .tls)
        framing.interrupted(&plain, &batch)
        directions[place].plain = [plain]
    }

    /// The direction is over: so is the session, when the other is.
    mutating func release(_ place: Int, _ notes: inout CaptureNotes) {
        let number = directions[place].session
        guard number >= 0, let session = tls?.sessions[number] else { return }
        directions[place].session = -1
        let gap = directions[place].side == .client ? session.clientGap : session.serverGap
        if let gap { notes.tls.interrupt(directions[place].flow, at: gap, isResumed: false) }
        if directions[place].isWaiting, !session.isGivenUp {
            tls!.sessions[number]!.isGivenUp = true
            notes.tls.leave(.reason(.noHandshake), session.server)
        }
        if session.users > 1 { tls!.sessions[number]!.users -= 1 } else { tls!.sessions[number] = nil }
    }

    // MARK: Sessions

    /// The server's end: the hello tells; without one it is the smaller port.
    private func server(_ place: Int) -> Endpoint {
        let flow = directions[place].flow
        let isServer = directions[place].side.map { $0 == .server } ?? (flow.sourcePort < flow.destinationPort)
        return isServer
            ? Endpoint(flow.source.address, flow.sourcePort) : Endpoint(flow.destination.address, flow.destinationPort)
    }

    /// Finds out whose records these are, once there are octets enough.
    private mutating func meet(_ place: Int, _ there: Int?, _ notes: inout CaptureNotes) {
        guard directions[place].pending.count > TLSRecord.headSize else { return }
        let hello = directions[place].pending.withUnsafeBytes { TLSRecord.hello($0) }
        directions[place].side = hello
        if let there, directions[there].isTLS {
            let number = directions[there].session
            let side = directions[there].side?.other
            if number >= 0, hello == side, tls!.sessions[number] != nil {
                directions[place].session = number
                tls!.sessions[number]!.users += 1
            } else if number >= 0 {
                end(place, there, .reason(.noHandshake), &notes)
            } else if directions[there].mode == .tls {
                dismiss(place)
            }
            if directions[place].session >= 0 || directions[place].mode == .tls { return }
        }
        guard hello != nil else {
            end(place, there, .reason(.noHandshake), &notes)
            return
        }
        guard let number = tls!.open(with: server(place)) else {
            end(place, there, .tooMany, &notes)
            return
        }
        directions[place].session = number
    }

    /// Nothing more of the session is read.
    private mutating func end(_ place: Int, _ there: Int?, _ why: TLSNotes.Unread, _ notes: inout CaptureNotes) {
        notes.tls.leave(why, server(place))
        for side in [place, there].compactMap({ $0 }) where directions[side].isTLS {
            if let number = tls?.sessions.index(forKey: directions[side].session) { tls!.sessions.remove(at: number) }
            dismiss(side)
        }
    }

    private mutating func dismiss(_ place: Int) {
        directions[place].mode = .tls
        directions[place].session = -1
        directions[place].isWaiting = false
        directions[place].pending = []
        directions[place].frames = []
        directions[place].plain = []
    }

    private mutating func giveUp(
        _ place: Int, _ there: Int?, _ reason: TLSConnection.Reason, _ context: FrameDecoder.Context,
        _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        let session = tls?.sessions[directions[place].session]
        for side in [place, there].compactMap({ $0 }) { interruptPlain(side, context, &batch) }
        guard let session, session.hasText else {
            end(place, there, .reason(reason), &notes)
            return
        }
        let since = directions[place].side == .client ? session.clientGap : session.serverGap
        notes.tls.interrupt(directions[place].flow, at: since ?? context.time, isResumed: false)
        tls!.sessions[directions[place].session] = nil
        for side in [place, there].compactMap({ $0 }) where directions[side].isTLS { dismiss(side) }
    }

    // MARK: Records

    private mutating func readRecords(
        _ place: Int, _ there: Int?, _ context: FrameDecoder.Context, _ parts: [UInt64], _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) {
        guard let side = directions[place].side, directions[place].session >= 0,
            var session = tls?.sessions.removeValue(forKey: directions[place].session)
        else { return }
        let number = directions[place].session
        let (keys, primitives) = (tls!.keys, tls!.primitives)
        var records: [UInt8] = []
        swap(&records, &directions[place].pending)
        directions[place].isWaiting = false
        var at = 0
        var failure: TLSConnection.Reason?
        records.withUnsafeBytes { bytes in
            while failure == nil, directions[place].mode == .records {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
                let isAdrift = session.connection.isAdrift(side)
                guard rest.count >= TLSRecord.headSize else { return }
                guard let head = TLSRecord(rest) else {
                    if isAdrift { at += Self.nextRecord(rest) } else { failure = .malformed }
                    continue
                }
                let size = TLSRecord.headSize + head.length
                guard size <= rest.count else {
                    // Amid a record any octets may look like a head.
                    if isAdrift, !Self.mayBeRecord(rest) { at += Self.nextRecord(rest) } else { return }
                    continue
                }
                if isAdrift, !Self.mayBeRecord(rest) {
                    at += Self.nextRecord(rest)
                    continue
                }
                if let kind = StreamFraming.clearWord(rest) { event(kind, place, context, &batch) }
                switch session.connection.receive(rest, from: side, keys, primitives) {
                case .nothing: break
                case .waits:
                    directions[place].isWaiting = true
                    return
                case .text(let text): give(text, place, context, parts, &session, &batch, &notes)
                case .lost:
                    notes.tls.damagedRecords &+= 1
                    interruptPlain(place, context, &batch)
                case .unreadable(let reason):
                    failure = reason
                    return
                }
                if isAdrift, !session.connection.isAdrift(side) { resume(place, side, &session, &notes) }
                at += size
            }
        }
        tls!.sessions[number] = session
        if directions[place].isWaiting, records.count - at > limits.queuedOctets { failure = .noHandshake }
        if let failure {
            giveUp(place, there, failure, context, &batch, &notes)
        } else if directions[place].mode == .records {
            records.removeSubrange(..<at)
            if at > 0 { directions[place].frames = records.isEmpty ? [] : parts.isEmpty ? [context.frame] : parts }
            swap(&records, &directions[place].pending)
        }
    }

    private func resume(_ place: Int, _ side: TLSSide, _ session: inout TLSTable.Session, _ notes: inout CaptureNotes) {
        guard let gap = side == .client ? session.clientGap : session.serverGap else { return }
        notes.tls.interrupt(directions[place].flow, at: gap, isResumed: true)
        if side == .client { session.clientGap = nil } else { session.serverGap = nil }
    }

    private mutating func give(
        _ text: [UInt8], _ place: Int, _ context: FrameDecoder.Context, _ parts: [UInt64], _ session: inout TLSTable.Session,
        _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        guard !text.isEmpty else { return }
        if !session.hasText {
            session.hasText = true
            notes.tls.read &+= 1
        }
        var plain = directions[place].plain.popLast() ?? StreamDirection(directions[place].flow, mode: .undecided)
        var elsewhere = context
        elsewhere.isElsewhere = true
        let frames = directions[place].frames.isEmpty ? parts : directions[place].frames
        var framing = StreamFraming(limits: limits, context: elsewhere, parts: frames, sequence: 0, origin: .tls)
        text.withUnsafeBytes { framing.take($0, &plain, &batch, &notes) }
        // What is neither SIP nor a WebSocket need not be opened any more.
        if plain.isReading { directions[place].plain = [plain] } else { settle(place, &session) }
    }

    /// A direction that is not worth reading: no loss.
    private mutating func settle(_ place: Int, _ session: inout TLSTable.Session) {
        session.isGivenUp = true
        directions[place].mode = .tls
        directions[place].plain = []
        directions[place].pending = []
        directions[place].frames = []
    }

    /// A head that a whole record or nothing yet follows.
    private static func mayBeRecord(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let head = TLSRecord(bytes), head.kind != .heartbeat, head.length > 0, head.length <= 16_640 else { return false }
        let size = TLSRecord.headSize + head.length
        return bytes.count < size + TLSRecord.headSize || TLSRecord(UnsafeRawBufferPointer(rebasing: bytes[size...])) != nil
    }

    /// Octets until the next place where a record may begin; at least one.
    private static func nextRecord(_ bytes: UnsafeRawBufferPointer) -> Int {
        var at = 1
        while at + TLSRecord.headSize <= bytes.count {
            if bytes[at + 1] == 3, mayBeRecord(UnsafeRawBufferPointer(rebasing: bytes[at...])) { return at }
            at += 1
        }
        return at
    }
}
