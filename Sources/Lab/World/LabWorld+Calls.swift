import Base
import MediaControl
import MediaPlane
import PhoneNode
import Relay
import ServerNode
import VirtualNetwork

/// A server's media: its plane, and which ports it listens at.
struct ServerMedia: Sendable {
    /// The RTP ports of every server here; each has the next one for RTCP.
    static let ports: [UInt16] = Array(stride(from: 20_000, to: 20_400, by: 2))
    static let mostRecords = 10_000

    /// Made when it is first needed, so that a world without calls draws nothing for it.
    var plane: MediaPlane?
    /// Stands in for the plane; nil: the plane is real.
    var script: ScriptedMedia?
    /// Calls that are over, oldest first.
    var records: [CallRecord] = []
    private var dropped: Set<Drop> = []

    struct Drop: Hashable, Sendable {
        var reason: MediaDrop
        var source: Endpoint
        var port: UInt16
    }

    var nextDeadline: Instant? { plane?.nextDeadline }

    mutating func advance(to now: Instant) { plane?.advance(to: now) }

    func owns(_ port: UInt16) -> Bool { (plane != nil || script != nil) && port >= 20_000 && port < 20_400 }

    mutating func nextEvent() -> MediaEvent? { script?.nextEvent() ?? plane?.nextEvent() }

    /// Whether it is the first of its kind; at most a thousand kinds are told apart.
    mutating func isNew(_ drop: Drop) -> Bool { dropped.count < 1_000 && dropped.insert(drop).inserted }
}

/// Calls: the phones' side, and the servers' media.
extension LabWorld {
    // MARK: Phones

    /// Something a person does at a phone.
    mutating func tell(_ index: Int, _ input: PhoneNode.Input) {
        switch input {
        case .call(let request):
            if case .tone(let tone) = request.play { listen(for: tone) }
            phones[index].calls[request.id] = LabCall(id: request.id, remote: request.target, at: now)
            if case .tone(let tone) = request.play { phones[index].calls[request.id]?.tone = tone }
        case .answer(let id, .tone(let tone)), .play(let id, .tone(let tone)):
            listen(for: tone)
            phones[index].calls[id]?.tone = tone
        default: break
        }
        phones[index].node.receive(input, at: now)
        drainPhone(index)
    }

    mutating func listen(for tone: Int) {
        if !tones.contains(tone) { tones.append(tone) }
    }

    mutating func took(_ event: CallEvent, of id: PhoneCallID, phone index: Int) {
        if case .incoming(let from, _, _) = event {
            phones[index].calls[id] = LabCall(id: id, remote: from, at: now)
            if case .tone(let tone)? = phones[index].node.settings.calls?.answerPlay { phones[index].calls[id]?.tone = tone }
        }
        phones[index].calls[id]?.take(event, at: now)
        guard selection.contains(.phones) else { return }
        drainPhoneTraces(index)
        note(.call(id, event), box: phones[index].box)
    }

    /// The calls of a phone so far, those it made first; none for other boxes.
    public func calls(of box: BoxID) -> [LabCall] {
        guard case .phone(let index) = places[box.index] else { return [] }
        return phones[index].calls.values.sorted { $0.id < $1.id }
    }

    // MARK: Servers

    mutating func obey(_ command: MediaCommand, server index: Int) {
        guard servers[index].media.script == nil else { return servers[index].media.script!.obey(command) }
        if servers[index].media.plane == nil { servers[index].media.plane = MediaPlane(entropy: entropy.fork()) }
        if case .open(_, let setup) = command {
            servers[index].host.stack.receive(.open(setup.port), at: now)
            servers[index].host.stack.receive(.open(setup.port + 1), at: now)
        }
        servers[index].media.plane?.command(command, at: now)
    }

    mutating func receiveMedia(_ datagram: Datagram, server index: Int) {
        let before = selection.contains(.servers) ? servers[index].media.plane?.dropCounts : nil
        if let forwarded = servers[index].media.plane?.receive(datagram, at: now) {
            servers[index].host.stack.receive(.send(forwarded), at: now)
        }
        guard let before, let after = servers[index].media.plane?.dropCounts, before != after else { return }
        for reason in MediaDrop.allCases where after[reason, default: 0] > before[reason, default: 0] {
            let drop = ServerMedia.Drop(reason: reason, source: datagram.source, port: datagram.destination.port)
            guard servers[index].media.isNew(drop) else { continue }
            note(.mediaDropped(reason, from: drop.source, on: drop.port), box: servers[index].box)
        }
    }

    /// What the plane has to send and to tell; whether there was anything.
    mutating func drainMedia(_ index: Int) -> Bool {
        var isMoving = false
        while let datagram = servers[index].media.plane?.nextDatagram() {
            isMoving = true
            servers[index].host.stack.receive(.send(datagram), at: now)
        }
        while let event = servers[index].media.nextEvent() {
            isMoving = true
            if selection.contains(.servers) { note(.media(event), box: servers[index].box) }
            servers[index].node.receive(.media(event), at: now)
        }
        // Nobody keeps what rooms sounded like.
        while servers[index].media.plane?.nextRecording() != nil {}
        return isMoving
    }

    mutating func wrote(_ record: CallRecord, server index: Int) {
        if servers[index].media.records.count < ServerMedia.mostRecords { servers[index].media.records.append(record) }
        if selection.contains(.servers) { note(.recorded(record), box: servers[index].box) }
    }

    /// The calls that a server has written down, oldest first; none for other boxes.
    public func callRecords(of box: BoxID) -> [CallRecord] {
        if case .server(let index) = places[box.index] { servers[index].media.records } else { [] }
    }

    /// A server's media plane; nil before its first call, and for other boxes.
    public func mediaPlane(of box: BoxID) -> MediaPlane? {
        if case .server(let index) = places[box.index] { servers[index].media.plane } else { nil }
    }
}
