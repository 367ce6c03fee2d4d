import Base
import PhoneNode

/// Judging what is heard.
extension ScenarioRun {
    func hears(_ phone: String, _ other: String, _ wanted: Bool) -> (Bool, String) {
        guard let listener = world.box(named: phone), let speaker = world.box(named: other) else {
            return (false, "no such phone")
        }
        guard let call = world.calls(of: listener).last(where: { $0.answeredAt != nil }) else {
            return (!wanted, "\(phone) is in no call")
        }
        let tones = Set(world.calls(of: speaker).compactMap(\.tone))
        let from = world.now - .seconds(1)
        let level = tones.compactMap { call.heard.level(of: $0, from: from, to: world.now) }.max() ?? 0
        let isHeard = level >= ToneTranscript.threshold
        return (isHeard == wanted, isHeard ? "\(phone) hears the tone of \(other)" : "\(phone) hears nothing of \(other)")
    }

    func audio(_ phone: String, _ text: String) -> (Bool, String) {
        let reviews = CallReviewer(world, records).reviews()
        guard let review = reviews.last(where: { $0.caller == phone }) else { return (false, "\(phone) has called nobody") }
        let reasons = review.ways.compactMap { way in
            way.reason.map { "\(way.listener) does not hear \(way.speaker): \($0.text)" }
        }
        let said = ([review.summary] + reasons).joined(separator: "; ")
        return (review.summary.lowercased() == text.lowercased(), said)
    }
}
