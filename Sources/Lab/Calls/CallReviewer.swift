import Base
import PhoneNode
import ServerNode
import VirtualNetwork

/// Looks a world's calls over: who should have heard whom, whether they did, and what stood in the way.
public struct CallReviewer: Sendable {
    /// One phone's part in a call.
    struct Part: Sendable {
        var box: BoxID
        var name: String
        var user: String
        var call: LabCall
    }

    let world: LabWorld
    let evidence: MediaEvidence
    private let parts: [Part]

    /// `records`: everything since before the first call; losses, routers, servers and phones have to be among them.
    public init(_ world: LabWorld, _ records: [LabRecord]) {
        self.world = world
        evidence = MediaEvidence(world, records)
        parts = world.boxes.flatMap { box -> [Part] in
            guard let phone = world.phone(box) else { return [] }
            return world.calls(of: box).map {
                Part(box: box, name: world.name(of: box), user: phone.settings.identity.user, call: $0)
            }
        }
    }

    /// Every call that a phone made, in order of time.
    public func reviews() -> [CallReview] {
        parts.filter { !$0.call.isIncoming }.sorted {
            ($0.call.beganAt, $0.box.index, $0.call.id) < ($1.call.beganAt, $1.box.index, $1.call.id)
        }
        .map(review)
    }

    private func review(_ part: Part) -> CallReview {
        CallReview(
            caller: part.name, target: part.call.remote, beganAt: part.call.beganAt, answeredAt: part.call.answeredAt,
            outcome: part.call.report?.end.text ?? (part.call.answeredAt == nil ? "not answered yet" : "goes on"),
            ways: ways(part), verdicts: verdicts(part))
    }

    /// Who is heard in a call, and by whom.
    private func ways(_ part: Part) -> [AudioWay] {
        guard part.call.answeredAt != nil else { return [] }
        let user = Self.user(of: part.call.remote)
        if let callee = parts.first(where: { $0.user == user && $0.call.isIncoming && Self.overlap(part, $0) != nil }) {
            return [way(from: part, to: callee), way(from: callee, to: part)].compactMap { $0 }
        }
        let others = parts.filter { $0.box != part.box && !$0.call.isIncoming && Self.user(of: $0.call.remote) == user }
        let isService = ["600", "601", "602"].contains(user)
        if isService { return user == "600" ? [way(from: part, to: part)].compactMap { $0 } : [] }
        return others.compactMap { way(from: $0, to: part) }
    }

    /// `sip:bob@example.net` and `bob` are both called bob.
    private static func user(of target: String) -> String {
        var text = target[...]
        for scheme in ["sip:", "sips:"] where text.hasPrefix(scheme) { text = text.dropFirst(scheme.count) }
        return String(text.prefix { $0 != "@" && $0 != ";" })
    }

    /// When both were in the call. Sound needs a moment until it is there, and is cut off at the end.
    private static func overlap(_ a: Part, _ b: Part) -> ClosedRange<Instant>? {
        guard let first = a.call.answeredAt, let second = b.call.answeredAt else { return nil }
        let start = max(first, second) + .milliseconds(600)
        let end = min(a.call.report?.endedAt ?? .distantFuture, b.call.report?.endedAt ?? .distantFuture) - .milliseconds(200)
        return start < end ? start...end : nil
    }

    private func way(from speaker: Part, to listener: Part) -> AudioWay? {
        guard let tone = speaker.call.tone, var span = Self.overlap(speaker, listener) else { return nil }
        span = span.lowerBound...max(span.lowerBound, min(span.upperBound, world.now))
        let heard = listener.call.heard.count(of: tone, from: span.lowerBound, to: span.upperBound)
        let expected = Int((span.upperBound - span.lowerBound).wholeMilliseconds / ToneTranscript.length.wholeMilliseconds)
        guard expected > 0 else { return nil }
        // A phone that hears nothing plays nothing: windows that are missing count as silent.
        let share = min(1, Double(heard) / Double(max(expected - 1, 1)))
        let last = listener.call.heard.span(of: tone).map { $0.upperBound - span.lowerBound }
        var way = AudioWay(
            speaker: speaker.name, listener: listener.name, tone: tone,
            level: listener.call.heard.level(of: tone, from: span.lowerBound, to: span.upperBound) ?? 0, share: share,
            lastHeard: heard == 0 ? nil : last, reason: nil)
        if !way.isHeard {
            let silence = max(
                span.lowerBound - .seconds(2), heard == 0 ? span.lowerBound - .seconds(2) : span.lowerBound + (last ?? .zero))
            way.reason = reason(
                from: speaker, to: listener, during: min(silence, span.upperBound)...span.upperBound)
        }
        return way
    }

    // MARK: What the server says

    /// The record of the call in which `part` took part.
    func record(of part: Part) -> CallRecord? {
        for box in world.boxes {
            for record in world.callRecords(of: box) {
                guard let answer = record.answer, let answered = part.call.answeredAt,
                    answer - .seconds(2) <= answered, answered <= record.end,
                    record.parties.contains(where: { $0.answered && Self.user(of: $0.address) == part.user })
                else { continue }
                return record
            }
        }
        return nil
    }

    func stream(of part: Part, in record: CallRecord?) -> CallRecord.Stream? {
        record?.parties.first { $0.answered && Self.user(of: $0.address) == part.user }?.streams.first
    }

    private func verdicts(_ part: Part) -> [String] {
        guard let record = record(of: part) else { return [] }
        if record.isDirect { return ["media went from phone to phone, past the server"] }
        return record.parties.filter(\.answered).flatMap { party in
            party.streams.map { "\(Self.user(of: party.address)): \($0.text)" }
        }
    }
}
