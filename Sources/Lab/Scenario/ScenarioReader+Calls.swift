import Base
import PhoneNode
import VirtualNetwork

/// Who calls whom, how phones take calls, and what is expected to be heard.
extension ScenarioReader {
    /// What the phone numbered `index` plays unless told otherwise, in Hz: no two of the first fifteen alike.
    static func usualTone(_ index: Int) -> Int { 440 + 190 * (index % 15) }

    mutating func readCallSettings(_ reader: inout ConfigReader, _ settings: inout PhoneSettings) throws(ConfigError) {
        let tone = try reader.integer("tone", in: 100...3_400) ?? Self.usualTone(phones.count)
        settings.calls = .init(answers: .auto(after: .seconds(1)), answerPlay: .tone(tone))
        if settings.behaviour == .seed { settings.calls?.rtpPorts = [settings.registration.rtpPort] }
        if let text = try reader.string("answer") {
            switch text {
            case "busy": settings.calls?.answers = .busy
            case "never", "no": settings.calls?.answers = .ring
            default:
                guard let delay = Duration(text: text) else {
                    throw reader.mistake("answer", "expected a delay such as 2s, busy or never; found \"\(text)\"")
                }
                settings.calls?.answers = .auto(after: delay)
            }
        }
        if let port = try reader.port("rtp-port") {
            guard port >= 1_024, port % 2 == 0 else { throw reader.mistake("rtp-port", "expected an even port from 1024 up") }
            settings.calls?.rtpPorts = [port]
        }
        let codecs = try reader.values("codecs", expected: "PCMA or PCMU") { ["PCMA", "PCMU"].contains($0) ? $0 : nil }
        if !codecs.isEmpty { settings.calls?.codecs = codecs }
        settings.calls?.symmetricRTP = try reader.bool("symmetric-rtp") ?? false
        settings.calls?.ice = try reader.bool("ice") ?? false
    }

    func readCall(_ reader: inout ConfigReader) throws(ConfigError) -> Scenario.Call {
        guard let from = try known(&reader, "from", phones.map(\.name)),
            let index = phones.firstIndex(where: { $0.name == from })
        else { throw reader.mistake("from", "expected the phone that calls; there are \(list(phones.map(\.name)))") }
        guard let target = try reader.string("to") else {
            throw reader.mistake("to", "expected what is dialled: a phone's name or user, a room such as 8000, or a SIP URI")
        }
        // A phone's name stands for its user.
        let user = phones.first { $0.name == target }?.settings.identity.user ?? target
        guard let at = try reader.duration("at") else {
            throw reader.mistake("at", "expected a time from the start, such as 10s")
        }
        var usual = Self.usualTone(index)
        if case .tone(let tone)? = phones[index].settings.calls?.answerPlay { usual = tone }
        let tone = try reader.integer("tone", in: 100...3_400) ?? usual
        return Scenario.Call(from: from, target: user, at: at, length: try reader.duration("for"), tone: tone)
    }

    func readHearing(
        _ reader: inout ConfigReader, _ phone: String, _ place: ConfigPlace
    ) throws(ConfigError) -> Scenario.Expectation? {
        if let other = try known(&reader, "hears", phones.map(\.name)) {
            return Scenario.Expectation(at: try time(&reader), claim: .hears(phone: phone, other: other, true), place: place)
        }
        if let other = try known(&reader, "hears-not", phones.map(\.name)) {
            return Scenario.Expectation(at: try time(&reader), claim: .hears(phone: phone, other: other, false), place: place)
        }
        if let text = try reader.string("audio") {
            return Scenario.Expectation(at: try time(&reader), claim: .audio(phone: phone, text), place: place)
        }
        return nil
    }
}
