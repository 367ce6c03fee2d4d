import Base
import STUN

/// An answer and the way it takes.
public struct STUNAnswer: Hashable, Sendable {
    public var bytes: [UInt8]
    /// Our endpoint from which it must leave: another than received the request, if CHANGE-REQUEST said so.
    public var local: Endpoint
    /// Where it goes: the sender, or another port of it, if RESPONSE-PORT said so.
    public var remote: Endpoint
    public var kind: STUNAnswerKind

    public var datagram: Datagram { Datagram(from: local, to: remote, bytes) }
}

/// What an answer says.
public enum STUNAnswerKind: UInt8, Hashable, Sendable, CaseIterable {
    /// XOR-MAPPED-ADDRESS to a client of RFC 5389 or later.
    case mapped
    /// MAPPED-ADDRESS to a client of RFC 3489.
    case classic
    /// 420.
    case unknownAttribute
    /// 400.
    case badRequest
}

/// Why a datagram got no answer.
public enum STUNDrop: UInt8, Hashable, Sendable, CaseIterable {
    case tooShort
    /// Its first two bits are not zero, or, without the cookie, nothing RFC 3489 knows.
    case notSTUN
    case wrongLength
    case attributePastEnd
    case wrongFingerprint
    /// A Binding indication: a keepalive that wants no answer (RFC 8489 6.3.2).
    case indication
    /// A response: we asked nothing.
    case response
    case unknownMethod
    /// A classic client asks for an answer from an address or port that does not exist. Silence reads as "filtered", on the
    /// safe side: the phone then keeps its mapping alive. An answer from here would read as "unfiltered".
    case cannotChange
    /// The sender's port is 0.
    case unanswerable
    /// The caller's buffer is too small; our own mistake.
    case noRoom
}

/// How often what happened.
public struct STUNServerCounters: Hashable, Sendable {
    public internal(set) var answered: [STUNAnswerKind: UInt64] = [:]
    public internal(set) var dropped: [STUNDrop: UInt64] = [:]
}

/// A Binding server (RFC 8489 6.3, RFC 5780 6.1, RFC 3489 8.1), without state but for its counters: any number of copies may
/// answer side by side.
///
/// No request is authenticated. Who asks without the magic cookie is answered as RFC 3489 says: MAPPED-ADDRESS in the clear,
/// SOURCE-ADDRESS and CHANGED-ADDRESS always. Without an alternate, CHANGED-ADDRESS names the server's own endpoint: phones
/// give up on an answer without it, and a probe there at least meets a STUN server.
public struct STUNServer: Sendable {
    /// What the hot entry point decided.
    public enum Verdict: Hashable, Sendable {
        /// The first `length` bytes of the caller's buffer leave from `local` to `remote`.
        case answer(length: Int, local: Endpoint, remote: Endpoint, kind: STUNAnswerKind)
        case drop(STUNDrop)
    }

    public let settings: STUNServerSettings
    private var answered = (mapped: 0 as UInt64, classic: 0 as UInt64, unknownAttribute: 0 as UInt64, badRequest: 0 as UInt64)
    private var dropped: [UInt64] = Array(repeating: 0, count: STUNDrop.allCases.count)

    public init(_ settings: STUNServerSettings = STUNServerSettings()) { self.settings = settings }

    /// How large a buffer must be so that any request of `requestLength` bytes can be answered.
    public static func answerCapacity(requestLength: Int) -> Int { requestLength + 320 }

    /// Answers one datagram; nil if it gets none, and `counters` says why.
    public mutating func answer(_ request: [UInt8], from remote: Endpoint, to local: Endpoint) -> STUNAnswer? {
        var verdict = Verdict.drop(.tooShort)
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.answerCapacity(requestLength: request.count)) { buffer, count in
            verdict = request.withUnsafeBytes {
                answer($0, from: remote, to: local, into: UnsafeMutableRawBufferPointer(buffer))
            }
            if case .answer(let length, _, _, _) = verdict { count = length }
        }
        guard case .answer(_, let local, let remote, let kind) = verdict else { return nil }
        return STUNAnswer(bytes: bytes, local: local, remote: remote, kind: kind)
    }

    /// The same without any allocation: for loops that receive and send in batches.
    ///
    /// `request` and `buffer` must not overlap.
    public mutating func answer(
        _ request: UnsafeRawBufferPointer, from remote: Endpoint, to local: Endpoint, into buffer: UnsafeMutableRawBufferPointer
    ) -> Verdict {
        let verdict = decide(request, from: remote, to: local, into: buffer)
        switch verdict {
        case .answer(_, _, _, .mapped): answered.mapped &+= 1
        case .answer(_, _, _, .classic): answered.classic &+= 1
        case .answer(_, _, _, .unknownAttribute): answered.unknownAttribute &+= 1
        case .answer(_, _, _, .badRequest): answered.badRequest &+= 1
        case .drop(let why): dropped[Int(why.rawValue)] &+= 1
        }
        return verdict
    }

    public var counters: STUNServerCounters {
        var counters = STUNServerCounters()
        counters.answered = [
            .mapped: answered.mapped, .classic: answered.classic, .unknownAttribute: answered.unknownAttribute,
            .badRequest: answered.badRequest,
        ]
        for drop in STUNDrop.allCases { counters.dropped[drop] = dropped[Int(drop.rawValue)] }
        return counters
    }
}
