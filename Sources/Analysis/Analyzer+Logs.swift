import Base
import Capture

extension Analyzer {
    /// One thing out of a text log.
    public mutating func observe(_ item: LoggedItem, file: Int) {
        let place = EvidencePlace.line(file: file, number: item.line)
        let time = Envelope.known(item.time?.instant)
        if file >= 0, file < sources.count { sources[file].frames = max(sources[file].frames, item.lastLine) }
        switch item.kind {
        case .message(let message): observe(message, isServers: item.format.map(\.isServers) ?? false, place, time)
        case .remark(let remark): observe(remark, place, time)
        case .prose(let text): devices.prose(text, place)
        }
    }

    /// So many lines a log has, whatever stands in them.
    public mutating func count(lines: Int, file: Int) {
        if sources.indices.contains(file) { sources[file].frames = max(sources[file].frames, lines) }
    }

    /// What a log held and did not give whole.
    public mutating func blind(_ gaps: LogGaps, in vantage: Vantage) {
        for blindness in Blindness.from(gaps, file: Int(vantage.index)) { blind(blindness, in: vantage) }
    }

    private mutating func observe(_ message: LoggedMessage, isServers: Bool, _ place: EvidencePlace, _ time: Int64) {
        let isSent: Bool
        switch message.direction {
        case .received:
            isSent = false
            judge.receiving.insert(place.vantage.index)
        case .sent, .retransmitted:
            isSent = true
            judge.sending.insert(place.vantage.index)
        // `local` is the source then.
        case .passing: isSent = true
        }
        let (local, remote) = ends(of: message, file: place.file)
        let isUnnamed = message.direction != .passing && !local.isKnown
        if isUnnamed, isServers { table.unnamed.note(.server, file: place.file) }
        var envelope = Envelope(
            place: place, time: time, source: isSent ? local : remote, destination: isSent ? remote : local,
            isStream: message.transport.map { $0 != .udp } ?? false,
            transport: message.transport.map(\.sipTransport))
        envelope.isLogged = true
        envelope.isTruncated = message.defects.contains { defect in
            switch defect {
            case .skipped, .fragmentary, .tooLong: true
            case .headersUnended, .contentLength, .typography, .htmlEntities, .unterminated: false
            }
        }
        if envelope.isTruncated { judge.cutMessages += 1 }
        if time == MessageRecord.unknownTime { judge.timelessMessages += 1 }
        if !message.bytes.starts(with: "SIP/".utf8) { said.talks(place.file) }
        note(place, time)
        sip(message.bytes, envelope, isOfUnnamed: isUnnamed ? isSent : nil)
    }

    private mutating func note(_ place: EvidencePlace, _ time: Int64) {
        let index = Int(place.file)
        guard index < sources.count, time != MessageRecord.unknownTime else { return }
        let instant = Instant(nanoseconds: time)
        if sources[index].first == nil { sources[index].first = instant }
        sources[index].last = max(sources[index].last ?? instant, instant)
    }

    private mutating func observe(_ remark: LoggedRemark, _ place: EvidencePlace, _ time: Int64) {
        let meaning: LogRemark
        switch remark.meaning {
        case .staleNonce: meaning = .staleNonce
        case .badAuthentication: meaning = .badAuthentication
        case .duplicateAuthentication: meaning = .duplicateAuthentication
        case .requestFailed(let method, let from, let remote, _, let reason):
            let words = reason.lowercased()
            if method == "REGISTER" || words.contains("authenticate") {
                let isUnknown = words.contains("no matching") || words.contains("username") || words.contains("not found")
                let isPassword = words.contains("wrong password") || words.contains("failed to authenticate")
                if isUnknown || isPassword {
                    said.refused(from, remote?.host ?? "", isUnknown, isLonely(place), remark.text, place, time)
                }
            } else if words.contains("no matching endpoint") {
                // A call from nowhere that the server knows: mostly a stranger's.
                said.note(
                    .guessed, "", status: nil, from: remote?.host ?? "", isLonely(place), remark.text, place, time)
            }
            meaning = words.contains("wrong password") ? .wrongPassword : .failed(reason)
        case .says(let saying, let about, let status, let from):
            said.note(saying, about, status: status, from: from, isLonely(place), remark.text, place, time)
            guard saying == .noACK || saying == .noAnswer || saying == .asideUnanswered else { return }
            meaning = .retransmissionTimeout
        case .keepalive, .dialogDestroyed, .explanation, .notice: return
        }
        self.remark(meaning, text: remark.text, place, time)
    }

    /// No request of the log stands before: nothing but its words can be judged.
    private func isLonely(_ place: EvidencePlace) -> Bool { latestRequest.map { $0.place.file != place.file } ?? true }
}
