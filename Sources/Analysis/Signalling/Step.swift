import Base
import Capture

/// One message of an open dialog with all that judging needs: fixed size, no references.
struct Step: Sendable {
    var record: MessageRecord
    /// Hashes; 0 where there is none.
    var branch: UInt64 = 0
    /// Of the credentials in a request, of the challenge in a response.
    var nonce: UInt64 = 0
    var otherNonce: UInt64 = 0
    /// Of the credentials' `response`.
    var response: UInt64 = 0
    var realm: UInt32 = 0
    var otherRealm: UInt32 = 0
    /// `nc`; 0 where there is none.
    var count: UInt32 = 0
    var fromTag: UInt32 = 0
    var toTag: UInt32 = 0
    var via = HostPort()
    var contact = HostPort()
    /// Of the Request-URI.
    var target = HostPort()
    var flags: StepFlags = []
    /// The seconds a registrar grants or a phone asks for; `noNumber` where it does not say.
    var expires = Step.noNumber
    var sessionExpires = Step.noNumber
    /// Octets of the message.
    var size: UInt32 = 0
    /// Milliseconds for which the client's flow had been silent when this came from another; -1 where there is none.
    var idle: Int32 = -1
    /// Index into the open session descriptions, -1 for none.
    var sdp: Int32 = -1
    var ipID: UInt16 = 0
    var rport: UInt16 = 0
    /// Which hop: a capture on a proxy shows several of the same Call-ID.
    var leg: UInt8 = 0
    var viaCount: UInt8 = 0

    static let noNumber = UInt32.max

    var isRequest: Bool { record.status == 0 }
    var status: Int { Int(record.status) }
    var method: MessageMethod { record.method }
    var nanoseconds: Int64 { record.nanoseconds }
    var isOverStream: Bool { record.marks.contains(.overStream) }
    /// A NOTIFY of no subscription, as of waiting messages, which many phones pass over.
    var isUnasked: Bool { isRequest && method == .notify && toTag == 0 }
    /// Neither sent again nor seen twice.
    var isFirst: Bool { record.marks.isDisjoint(with: [.retransmission, .duplicate]) }
    var isDuplicate: Bool { record.marks.contains(.duplicate) }
    var hasCredentials: Bool { record.marks.contains(.hasCredentials) }
    var hasChallenge: Bool { record.marks.contains(.hasChallenge) }
}

/// Further facts about a message.
struct StepFlags: OptionSet, Sendable {
    let rawValue: UInt32

    /// Via has `rport`, with or without a value.
    static let rport = StepFlags(rawValue: 1)
    /// Via's `rport` has a value.
    static let rportValue = StepFlags(rawValue: 2)
    static let received = StepFlags(rawValue: 4)
    /// `Contact: *`.
    static let contactIsAll = StepFlags(rawValue: 8)
    static let recordRoute = StepFlags(rawValue: 16)
    /// The capture holds less of it than was on the wire.
    static let truncated = StepFlags(rawValue: 32)
    /// Came in IP fragments.
    static let fragmented = StepFlags(rawValue: 64)
    /// Content-Length says more than there is, or less.
    static let bodyShort = StepFlags(rawValue: 128)
    static let bodyLong = StepFlags(rawValue: 256)
    /// Call-ID holds a private address.
    static let privateCallID = StepFlags(rawValue: 512)
    /// The sender's address is known from STUN or from a response it got before.
    static let knowsItself = StepFlags(rawValue: 1024)
    /// A program that looks for victims.
    static let scanner = StepFlags(rawValue: 2048)
    /// Sent by the client of its leg.
    static let fromClient = StepFlags(rawValue: 4096)
    /// Over WebSocket or TLS.
    static let secureOrWeb = StepFlags(rawValue: 8192)
    /// Between keepalives: something kept the former flow alive.
    static let keptAlive = StepFlags(rawValue: 16384)
    /// The registrar shows where the request really came from.
    static let contactReceived = StepFlags(rawValue: 65536)
    /// Cut before its CSeq.
    static let unnumbered = StepFlags(rawValue: 131072)
    /// Credentials without a nonce: whoever gave the log away hid them.
    static let hiddenCredentials = StepFlags(rawValue: 262144)
    /// The response carries two challenges.
    static let twoChallenges = StepFlags(rawValue: 32768)
}
