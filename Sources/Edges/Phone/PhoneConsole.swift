import Base
import PhoneNode
import ShowText

/// What a person at `pinhole phone` sees of calls, and what the keys do: a value without a terminal.
public struct PhoneConsole: Sendable {
    /// What a key asks for.
    public enum Wish: Hashable, Sendable {
        case command(PhoneNode.Input)
        case quit
        /// A line to be printed.
        case say(String)
    }

    enum Prompt: Hashable, Sendable {
        case call, transfer

        var question: String {
            switch self {
            case .call: "call"
            case .transfer: "transfer to"
            }
        }
    }

    struct Line: Hashable, Sendable {
        enum Phase: Hashable, Sendable { case calling, ringing, incoming, talking(since: Instant) }

        var id: PhoneCallID
        var remote: String
        var phase: Phase
        var media: CallMediaState?
        var isMuted = false
        var digits = ""
        var hasHeard = false
    }

    public static let help =
        "a answer  h hang up  p hold and resume  m mute  0-9 * # digits  t transfer  x join the other call (attended transfer)  "
        + "c call  Tab next call  q quit"

    /// What a call made or answered from the keyboard plays.
    public var play: PlaySource
    private(set) var lines: [Line] = []
    private(set) var selected: PhoneCallID?
    private var prompt: (kind: Prompt, text: [UInt8])?
    private var nextID: UInt64

    /// - Parameter firstID: for calls made from the keyboard; 1 is the command line's.
    public init(play: PlaySource, firstID: UInt64 = 2) {
        self.play = play
        nextID = firstID
    }

    public var hasCalls: Bool { !lines.isEmpty }

    // MARK: Keys

    /// One byte from the keyboard.
    public mutating func key(_ byte: UInt8) -> [Wish] {
        if let (kind, text) = prompt { return edit(byte, kind, text) }
        switch byte {
        case 3, UInt8(ascii: "q"): return [.quit]
        case UInt8(ascii: "?"): return [.say(Self.help)]
        case UInt8(ascii: "c"):
            prompt = (.call, [])
            return []
        case 9:
            selectNext()
            return []
        default: return selected.flatMap { id in lines.first { $0.id == id } }.map { key(byte, for: $0) } ?? []
        }
    }

    private mutating func key(_ byte: UInt8, for line: Line) -> [Wish] {
        switch byte {
        case UInt8(ascii: "a"): return line.phase == .incoming ? [.command(.answer(line.id, play: play))] : []
        case UInt8(ascii: "h"): return [.command(.hangUp(line.id))]
        case UInt8(ascii: "p"): return [.command(line.media?.heldByUs ?? false ? .resume(line.id) : .hold(line.id))]
        case UInt8(ascii: "m"):
            change(line.id) { $0.isMuted.toggle() }
            return [.command(.mute(line.id, !line.isMuted))]
        case UInt8(ascii: "t"):
            prompt = (.transfer, [])
            return []
        case UInt8(ascii: "x"):
            guard let other = lines.first(where: { $0.id != line.id }) else { return [.say("there is no other call")] }
            return [.command(.transferAttended(other.id, with: line.id))]
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "*"), UInt8(ascii: "#"):
            let digit = String(Character(Unicode.Scalar(byte)))
            change(line.id) { $0.digits = String(($0.digits + digit).suffix(16)) }
            return [.command(.dtmf(line.id, digit))]
        default: return []
        }
    }

    private mutating func edit(_ byte: UInt8, _ kind: Prompt, _ former: [UInt8]) -> [Wish] {
        var text = former
        switch byte {
        case 3, 27:
            prompt = nil
            return []
        case 8, 127: _ = text.popLast()
        case 10, 13:
            prompt = nil
            let target = String(decoding: text, as: UTF8.self)
            guard !target.isEmpty else { return [] }
            switch kind {
            case .call:
                defer { nextID += 1 }
                return [.command(.call(CallRequest(id: PhoneCallID(nextID), target: target, play: play)))]
            case .transfer: return selected.map { [.command(.transfer($0, to: target))] } ?? []
            }
        default: if byte >= 0x20, text.count < 200 { text.append(byte) }
        }
        prompt = (kind, text)
        return []
    }

    private mutating func selectNext() {
        guard let place = lines.firstIndex(where: { $0.id == selected }) else {
            selected = lines.first?.id
            return
        }
        selected = lines[(place + 1) % lines.count].id
    }

    private mutating func change(_ id: PhoneCallID, _ work: (inout Line) -> Void) {
        guard let place = lines.firstIndex(where: { $0.id == id }) else { return }
        work(&lines[place])
    }

    // MARK: Events

    /// Follows a call; the line that tells of it, nil where the status line says enough.
    public mutating func note(_ id: PhoneCallID, _ event: CallEvent, at now: Instant) -> String? {
        switch event {
        case .incoming(let from, let name, _):
            begin(Line(id: id, remote: from, phase: .incoming))
            return "\(name.map { "\($0) " } ?? "")\(from) calls"
        case .calling(let target, let next):
            // Again with credentials: nothing new for a person.
            if let known = lines.first(where: { $0.id == id }), known.remote == target, known.phase == .calling { return nil }
            begin(Line(id: id, remote: target, phase: .calling))
            return "calling \(target) at \(next)"
        case .progress(let code, let reason):
            change(id) { if code != 100 { $0.phase = .ringing } }
            return "\(code) \(reason)"
        case .answered(let media):
            change(id) { line in
                line.phase = .talking(since: now)
                line.media = media ?? line.media
            }
            return media.map { "answered: \($0.summary)" } ?? "answered"
        case .media(let media):
            let former = lines.first { $0.id == id }?.media
            change(id) { $0.media = media }
            return former == nil ? nil : media.summary
        case .digit(let digit): return "digit \(digit)"
        case .digitsSent: return nil
        case .asksTransfer(let to, _): return "the other side hands us over to \(to)"
        case .transfer(let code, let reason): return "transfer: \(code) \(reason)"
        case .refused(let why): return "not possible: \(why)"
        case .ended(let report):
            lines.removeAll { $0.id == id }
            if selected == id { selected = lines.last?.id }
            return report.summary
        }
    }

    /// Audio of a call was heard; whether it was the first.
    public mutating func heard(_ id: PhoneCallID) { change(id) { $0.hasHeard = true } }

    private mutating func begin(_ line: Line) {
        lines.removeAll { $0.id == line.id }
        lines.append(line)
        selected = line.id
    }

    // MARK: The status line

    /// One line of the window's width at most; empty where there is nothing to say.
    public func statusLine(_ style: ReportStyle, at now: Instant) -> String {
        if let (kind, text) = prompt { return "\(kind.question): \(String(decoding: text, as: UTF8.self))" }
        guard let line = lines.first(where: { $0.id == selected }) ?? lines.last else { return "" }
        var parts: [(text: String, tone: ReportTone?)] = [line.phase.shown(at: now), (ShowText.printable(line.remote), nil)]
        if let media = line.media {
            parts.append((media.codec + (media.isSRTP ? " SRTP" : ""), nil))
            if media.heldByUs { parts.append(("on hold", nil)) }
            if media.heldByThem { parts.append(("held by the other side", nil)) }
        }
        if line.isMuted { parts.append(("muted", nil)) }
        if case .talking = line.phase, !line.hasHeard { parts.append(("no audio yet", .warning)) }
        if !line.digits.isEmpty { parts.append(("sent \(line.digits)", nil)) }
        if lines.count > 1 { parts.append(("\(lines.count) calls", nil)) }
        parts.append((line.phase == .incoming ? "a answer  h refuse" : "h hang up  p hold  m mute  t transfer  ? keys", .dim))
        // A line that wraps could not be taken back; what does not fit is left out, the hints first.
        var width = -2
        let shown = parts.prefix { part in
            width += displayWidth(part.text) + 2
            return width < style.width
        }
        return shown.map { style.paint($0.text, $0.tone) }.joined(separator: "  ")
    }
}

extension PhoneConsole.Line.Phase {
    fileprivate func shown(at now: Instant) -> (String, ReportTone?) {
        switch self {
        case .calling: return ("calling", nil)
        case .ringing: return ("ringing", nil)
        case .incoming: return ("incoming", .accent)
        case .talking(let since):
            let seconds = max(0, (now - since).wholeSeconds)
            return ("\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)", .good)
        }
    }
}

extension CallMediaState {
    /// What was agreed, in a few words.
    public var summary: String {
        var text = codec + (isSRTP ? " encrypted" : "")
        switch (sends, receives) {
        case (true, true): text += ", both ways"
        case (true, false): text += ", we only send"
        case (false, true): text += ", we only hear"
        case (false, false): text += ", silent"
        }
        if heldByUs { text += ", on hold" }
        if heldByThem { text += ", held by the other side" }
        return "\(text); \(local) to \(remote)"
    }
}

extension CallReport {
    /// The end, and the audio in one sentence.
    public var summary: String {
        guard wasAnswered else { return "\(remote): \(end.text)" }
        var text = "\(remote): \(end.text) after \(talkTime.wholeSeconds) s; \(codec)\(isSRTP ? " encrypted" : ""); \(mediaText)"
        if let meanOpinionScore { text += "; MOS \((meanOpinionScore * 10).rounded() / 10)" }
        if let theirLossPercent { text += "; the other side reports \((theirLossPercent * 10).rounded() / 10) % lost" }
        if let roundTrip { text += ", \(Int(roundTrip.rounded())) ms round trip" }
        return text
    }
}
