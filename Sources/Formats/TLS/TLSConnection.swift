/// A TLS session (1.0 to 1.3) as an onlooker with a key log follows it: records in, text out.
///
/// Each direction's records come in order; the two directions may come in any order, as `waits` tells which is needed first. Nothing
/// that is fed can make it trap; it holds no more than one handshake message of each side.
public struct TLSConnection: Sendable {
    /// Why a session stays unread.
    public enum Reason: Hashable, Sendable {
        /// Its hellos are not in the capture.
        case noHandshake
        /// The log holds no secret of it, or not those its version needs.
        case noKey
        case suite(UInt16)
        /// SSL 3.0, or a version nobody knows.
        case version(UInt16)
        /// What the log says does not open its records.
        case wrongKey
        /// Its handshake contradicts itself.
        case malformed
    }

    public enum Outcome: Hashable, Sendable {
        /// Understood; nothing that an application said.
        case nothing
        /// Cannot be opened before the other side's hello: give it again after that.
        case waits
        case text([UInt8])
        /// This record does not open: damaged. Others may.
        case lost
        /// Nothing of the session can be read from here on.
        case unreadable(Reason)
    }

    /// What one side's records are read with.
    struct Direction: Sendable {
        var protection: TLSProtection?
        /// What protects after it: TLS 1.3 one after another, before that from the next ChangeCipherSpec on.
        var following: [TLSProtection] = []
        /// TLS 1.3: of the application's keys in use or to come.
        var secret: [UInt8] = []
        /// A handshake message that is not complete, and octets of one that nobody needs.
        var message: [UInt8] = []
        var skip = 0
        /// Records in a row that did not open.
        var failures = 0
        /// Records were not seen, or could not be opened for lack of a key: numbers must be tried.
        var isAdrift = false
    }

    private static let mostMessage = 65_536
    static let mostFailures = 8
    /// Record numbers tried after a hole.
    static let mostTried: UInt64 = 64

    var client = Direction()
    var server = Direction()
    /// Hellos that were not matched yet.
    private var clientRandom: [UInt8]?
    private var serverHello: TLSHello?
    private var isRetried = false
    /// Keys were found; false before the first ServerHello is matched with its ClientHello.
    public private(set) var isEstablished = false
    public private(set) var version: UInt16 = 0
    var suite: TLSCipherSuite?

    public init() {}

    /// One whole record, head first.
    public mutating func receive(
        _ record: UnsafeRawBufferPointer, from side: TLSSide, _ keys: TLSKeyLog, _ primitives: TLSPrimitives
    ) -> Outcome {
        guard let head = TLSRecord(record), record.count >= TLSRecord.headSize + head.length else {
            return .unreadable(.malformed)
        }
        let fragment = Array(record[TLSRecord.headSize..<(TLSRecord.headSize + head.length)])
        guard isEstablished else {
            switch head.kind {
            case .handshake: return handshake(fragment, side, keys, primitives)
            case .alert: return .nothing
            case .changeCipherSpec: return isRetried ? .nothing : .waits
            case .applicationData, .heartbeat: return .waits
            }
        }
        if head.kind == .changeCipherSpec {
            guard version < 0x0304 else { return .nothing }
            // A handshake within the session of which only one hello has come.
            if has(side).following.isEmpty, clientRandom != nil || serverHello != nil { return .waits }
            change(side)
            return .nothing
        }
        guard has(side).protection != nil else {
            return head.kind == .handshake ? handshake(fragment, side, keys, primitives) : .nothing
        }
        // TLS 1.3 sends alerts in the clear as long as it has no keys.
        if version >= 0x0304, head.kind != .applicationData { return .nothing }
        guard let (kind, text) = open(head, fragment, side, primitives) else {
            with(side) { $0.failures += 1 }
            if has(side).failures >= Self.mostFailures { return .unreadable(.wrongKey) }
            return has(side).isAdrift ? .nothing : .lost
        }
        switch kind {
        case .applicationData: return .text(text)
        case .handshake: return handshake(text, side, keys, primitives)
        case .alert, .heartbeat, .changeCipherSpec: return .nothing
        }
    }

    /// Octets of a side's stream are missing before its next record. False: nothing can be read after that.
    public mutating func interrupted(_ side: TLSSide) -> Bool {
        with(side) {
            $0.message = []
            $0.skip = 0
            $0.isAdrift = true
        }
        // The ChangeCipherSpec may be among what is missing.
        if isEstablished, version < 0x0304, has(side).protection == nil { change(side) }
        return isEstablished
    }

    /// Its records' numbers are not known at the moment.
    public func isAdrift(_ side: TLSSide) -> Bool { has(side).isAdrift }

    func has(_ side: TLSSide) -> Direction { side == .client ? client : server }

    mutating func with(_ side: TLSSide, _ change: (inout Direction) -> Void) {
        if side == .client { change(&client) } else { change(&server) }
    }

    // MARK: Handshake

    /// Octets of handshake messages, in any pieces (RFC 8446 4).
    private mutating func handshake(
        _ bytes: [UInt8], _ side: TLSSide, _ keys: TLSKeyLog, _ primitives: TLSPrimitives
    ) -> Outcome {
        var rest = has(side).message + bytes.dropFirst(has(side).skip)
        let skipped = min(has(side).skip, bytes.count)
        with(side) {
            $0.skip -= skipped
            $0.message = []
        }
        var at = 0
        while at + 4 <= rest.count {
            let type = rest[at]
            let length = Int(rest[at + 1]) << 16 | Int(rest[at + 2]) << 8 | Int(rest[at + 3])
            guard [1, 2, 20, 24].contains(type) else {
                let end = at + 4 + length
                if end > rest.count { with(side) { $0.skip = end - rest.count } }
                at = min(end, rest.count)
                continue
            }
            guard length <= Self.mostMessage else { return .unreadable(.malformed) }
            guard at + 4 + length <= rest.count else { break }
            let outcome = message(type, Array(rest[(at + 4)..<(at + 4 + length)]), side, keys, primitives)
            if case .unreadable = outcome { return outcome }
            at += 4 + length
        }
        if at < rest.count {
            rest.removeSubrange(..<at)
            with(side) { $0.message = rest }
        }
        return .nothing
    }

    private mutating func message(
        _ type: UInt8, _ body: [UInt8], _ side: TLSSide, _ keys: TLSKeyLog, _ primitives: TLSPrimitives
    ) -> Outcome {
        switch (type, side) {
        case (1, .client):
            guard let hello = TLSHello(body, isClient: true) else { return .unreadable(.malformed) }
            clientRandom = hello.random
        case (2, .server):
            guard let hello = TLSHello(body, isClient: false) else { return .unreadable(.malformed) }
            if hello.isRetry { isRetried = true } else { serverHello = hello }
        case (20, _):
            if version >= 0x0304, let last = has(side).following.last {
                with(side) {
                    $0.protection = last
                    $0.following = []
                }
            }
            return .nothing
        case (24, _):
            if version >= 0x0304 { update(side, primitives) }
            return .nothing
        default: return .nothing
        }
        guard let clientRandom, let serverHello else { return .nothing }
        return establish(clientRandom, serverHello, keys, primitives)
    }

    private mutating func establish(
        _ random: [UInt8], _ hello: TLSHello, _ keys: TLSKeyLog, _ primitives: TLSPrimitives
    ) -> Outcome {
        guard hello.version >= 0x0301, hello.version <= 0x0304 else { return .unreadable(.version(hello.version)) }
        guard let suite = TLSCipherSuite(hello.suite) else { return .unreadable(.suite(hello.suite)) }
        guard let name = TLSRandom(random), let secrets = keys[name] else { return .unreadable(.noKey) }
        version = hello.version
        self.suite = suite
        let isFound =
            version == 0x0304
            ? trafficKeys(secrets, suite, primitives)
            : keyBlock(secrets, suite, client: random, hello, primitives)
        isEstablished = isFound
        // A handshake within the session (RFC 5746) has hellos of its own.
        clientRandom = nil
        serverHello = nil
        return isFound ? .nothing : .unreadable(.noKey)
    }
}
