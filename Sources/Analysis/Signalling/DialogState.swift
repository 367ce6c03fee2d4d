import Base
import Capture

/// One Call-ID as one vantage sees it, while it may still go on.
struct DialogState: Sendable {
    /// One hop: who asked whom first.
    struct Leg: Sendable {
        /// Where the first request came from, or the latest with a moved client.
        var client: PackedEndpoint
        var server: PackedEndpoint
        /// What the client writes of itself; inbound packets may go there.
        var contact = HostPort()
        var via = HostPort()
        /// What the server's side writes of itself.
        var peerContact = HostPort()
        var viaCount: UInt8 = 0
        var isStream = false
    }

    /// How far it has come.
    struct Progress: OptionSet, Sendable {
        let rawValue: UInt16

        static let answered = Progress(rawValue: 1)
        static let acknowledged = Progress(rawValue: 2)
        static let ended = Progress(rawValue: 4)
        static let cancelled = Progress(rawValue: 8)
        static let failed = Progress(rawValue: 16)
        /// Messages of both directions were seen on some leg.
        static let bothWays = Progress(rawValue: 32)
        /// Two different messages were seen.
        static let severalMessages = Progress(rawValue: 64)
        static let unregistered = Progress(rawValue: 128)
        static let finalResponse = Progress(rawValue: 256)
        /// Judged when it had gone quiet; goes on if something more comes.
        static let settled = Progress(rawValue: 512)
        static let linkedByOrder = Progress(rawValue: 1024)
        static let privateCallID = Progress(rawValue: 2048)
        static let closed = Progress(rawValue: 4096)
        static let beganWithRequest = Progress(rawValue: 8192)
        /// A finding accuses it.
        static let accused = Progress(rawValue: 16384)
        /// What failed last was only asked for credentials, which it had not given or whose nonce was stale.
        static let challenged = Progress(rawValue: 32768)
    }

    var kind: DialogKind
    var vantage: Vantage
    var progress: Progress = []
    /// Call-ID, From and To one after another; messages that were kept follow.
    var text: [UInt8]
    var callIDLength: UInt16
    var fromLength: UInt16
    var toLength: UInt16
    var legs: [Leg] = []
    /// In the pool of steps; -1 for none.
    var lastStep: Int32 = -1
    var stepCount: Int32 = 0
    var messageCount: Int32 = 0
    /// In the records; -1 for none.
    var lastRecord: Int32 = -1
    var began = MessageRecord.unknownTime
    var last = MessageRecord.unknownTime
    /// The last final status.
    var status: UInt16 = 0
    /// Of the last 200 to a REGISTER.
    var granted = Step.noNumber
    /// The flow of the latest REGISTER; -1 for none.
    var flow: Int32 = -1
    /// Indices into the names of programs; 0 for unknown.
    var clientProgram: UInt16 = 0
    var serverProgram: UInt16 = 0
    /// Of who asked first, where a log tells no ends, and which kind of dialog it began; 0 for none yet.
    var askingTag: UInt32 = 0
    var seats = DialogKind.other
    var reported = ReportedFindings()

    var callID: ArraySlice<UInt8> { text[0..<Int(callIDLength)] }
    var from: ArraySlice<UInt8> { text[Int(callIDLength)..<(Int(callIDLength) + Int(fromLength))] }
    var to: ArraySlice<UInt8> {
        let start = Int(callIDLength) + Int(fromLength)
        return text[start..<(start + Int(toLength))]
    }

    var outcome: DialogOutcome {
        switch kind {
        case .call:
            if progress.contains(.answered) { return progress.contains(.ended) ? .ended : .established }
            if progress.contains(.cancelled) { return .cancelled }
            if progress.contains(.failed) { return .failed(status: Int(status)) }
        case .registration:
            if progress.contains(.unregistered) { return .unregistered }
            if progress.contains(.answered) { return .registered(expires: granted == Step.noNumber ? nil : granted) }
            if progress.contains(.failed) { return .failed(status: Int(status)) }
        case .subscription, .message, .options, .other:
            if progress.contains(.answered) { return .answered(status: Int(status)) }
            if progress.contains(.failed) { return .failed(status: Int(status)) }
        }
        return progress.contains(.bothWays) || messageCount == 0 || status != 0 ? .open : .unanswered
    }

    /// `end`: of what its vantage shows, nanoseconds. A challenge right before it is no failure yet.
    func summary(end: Int64) -> DialogSummary {
        let isPending = progress.contains(.challenged) && elapsed(last, end) ?? 0 < Judge.patience
        return DialogSummary(
            id: 0, kind: kind, outcome: isPending ? .open : outcome, vantage: vantage, began: time(began), ended: time(last),
            messageCount: Int(messageCount), isLinkedByOrder: progress.contains(.linkedByOrder), lastRecord: lastRecord,
            text: text,
            callIDLength: Int(callIDLength), fromLength: Int(fromLength), toLength: Int(toLength))
    }

    private func time(_ nanoseconds: Int64) -> Instant? {
        nanoseconds == MessageRecord.unknownTime ? nil : Instant(nanoseconds: nanoseconds)
    }
}

extension DialogKind {
    init(_ method: MessageMethod) {
        switch method {
        case .invite, .ack, .bye, .cancel, .prack, .update, .info, .refer: self = .call
        case .register: self = .registration
        case .subscribe, .notify, .publish: self = .subscription
        case .message: self = .message
        case .options: self = .options
        case .other: self = .other
        }
    }
}
