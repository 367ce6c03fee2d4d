import Base
import SIP

/// A message as the server got or sent it.
struct LiveMessage: Sendable {
    /// Counted from 1 over all that the server saw; reports look it up as `message 3`.
    var number: Int
    var time: Instant
    var flow: FlowID
    var isReceived: Bool
    var bytes: [UInt8]

    /// Octets that it takes up, about.
    var size: Int { bytes.count + 160 }
}

/// The messages of one Call-ID and one far address, as long as they are held.
struct LiveDialog: Sendable {
    /// Whose it is: what decides in whose room it is held.
    enum Standing: Int, Sendable, CaseIterable {
        /// Nobody proved anything in it.
        case stranger
        /// The server asked a phone, or a phone of an account asked the server, whether the way is still open.
        case keepalive
        /// An account signed something in it, or it went over a flow where one did, or the server began it.
        case account
    }

    /// How far it came, by its latest message.
    enum Progress: Sendable {
        /// Something waits for its final response, or for credentials.
        case asked
        case callStands
        /// A registration or subscription that was granted.
        case granted
        case over
    }

    /// Further messages go into a dialog of their own.
    static let mostMessages = 512

    /// Silence after which nobody waits for an answer any more.
    private static let patience = Duration.seconds(300)
    /// Silence after which a registration is taken for gone, as `explain` takes it.
    private static let longestGrant = Duration.seconds(3_720)

    var standing: Standing
    private(set) var messages: [LiveMessage] = []
    private(set) var size = 0
    private(set) var progress = Progress.asked
    let isOfOptions: Bool

    /// Begun by what `append` is told next.
    init(_ standing: Standing, isOfOptions: Bool) {
        self.standing = standing
        self.isOfOptions = isOfOptions
    }

    /// Of its latest message.
    var last: Int { messages.last?.number ?? 0 }

    func isOver(at now: Instant) -> Bool {
        guard let last = messages.last?.time else { return true }
        switch progress {
        case .asked: return now - last > Self.patience
        case .granted: return now - last > Self.longestGrant
        case .callStands: return false
        case .over: return true
        }
    }

    mutating func append(_ message: LiveMessage, _ method: SIPMethod, status: Int?) {
        messages.append(message)
        size += message.size
        progress = status.map { after($0, method) } ?? after(method)
    }

    private func after(_ method: SIPMethod) -> Progress {
        switch (method, progress) {
        case (.bye, _), (.cancel, _): .over
        case (.ack, _), (_, .callStands): progress
        default: .asked
        }
    }

    private func after(_ status: Int, _ method: SIPMethod) -> Progress {
        switch (progress, status) {
        case (_, ..<200), (.callStands, _), (.over, _): progress
        case (_, 401), (_, 407), (_, 423): .asked
        case (_, 200..<300) where method == .invite: .callStands
        case (_, 200..<300) where method == .register || method == .subscribe: .granted
        default: .over
        }
    }

    /// Takes the messages before `index` out, as a dialog that is over.
    mutating func takeOut(before index: Int) -> LiveDialog {
        var former = LiveDialog(standing, isOfOptions: isOfOptions)
        former.messages = Array(messages[..<index])
        former.size = former.messages.reduce(0) { $0 + $1.size }
        former.progress = .over
        messages.removeFirst(index)
        size -= former.size
        return former
    }

    /// Where it is cut best behind `index`: before a request other than ACK, so that no answer loses its question.
    func cut(behind index: Int) -> Int {
        let request = messages.indices.dropFirst(max(1, index)).first { place in
            let bytes = messages[place].bytes
            return !bytes.starts(with: Self.answer) && !bytes.starts(with: Self.acknowledgement)
        }
        return request ?? messages.count
    }

    private static let answer = Array("SIP/".utf8)
    private static let acknowledgement = Array("ACK ".utf8)
}
