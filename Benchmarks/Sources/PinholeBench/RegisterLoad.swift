import Base
import CSockets
import SIP
import SIPStack

/// A load generator for registrars: keeps a window of registrations under way, each REGISTER, 401, REGISTER with credentials, 200.
///
/// Users are `u0`, `u1` and so on, all with one password; each has a Call-ID and a contact of its own and comes round again as a refresh.
/// Everything is sent to 127.0.0.1 from one socket.
struct RegisterLoad {
    /// One registration under way.
    private struct Slot {
        var user: Int
        var isAuthenticated: Bool
        var serial: Int
        var request: [UInt8]
        var sentAt: Int64
        var tries: Int
    }

    /// What a run came to.
    struct Result: CustomStringConvertible {
        var registrations: Int
        var failures: Int
        var retransmissions: Int
        var nanoseconds: Int64

        var description: String {
            "registrations \(registrations) failures \(failures) retransmissions \(retransmissions) seconds \(Double(nanoseconds) / 1e9)"
        }
    }

    /// RFC 3261 T1; a benchmark that loses datagrams says so.
    private static let patience: Int64 = 500_000_000

    private let socket: Int32
    private let own: Endpoint
    private let realm: String
    private let password: String
    private let users: Int
    private let window: Int
    private var sequence: [UInt32]
    private var entropy = Entropy(labSeed: UInt64(bench_now()))

    init(port: UInt16, realm: String, password: String, users: Int, window: Int) throws {
        var ownPort: UInt16 = 0
        socket = bench_open(port, &ownPort)
        guard socket >= 0 else { throw BenchError("no socket: errno \(-socket)") }
        own = Endpoint(.v4(.loopback), ownPort)
        self.realm = realm
        self.password = password
        self.users = users
        self.window = min(window, users)
        // Every run starts above those before it: a registrar refuses a CSeq that falls.
        sequence = [UInt32](repeating: UInt32(truncatingIfNeeded: bench_now() / 1_000_000_000) << 10 & 0x3fff_ffff, count: users)
    }

    mutating func run(_ count: Int) throws -> Result {
        var result = Result(registrations: 0, failures: 0, retransmissions: 0, nanoseconds: 0)
        var started = 0
        var slots: [Slot] = []
        let start = bench_now()
        for index in 0..<min(window, count) {
            slots.append(try begin(started % users, slot: index, serial: started))
            started += 1
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var lastSweep = start
        var isDone = [Bool](repeating: false, count: slots.count)
        while result.registrations + result.failures < count {
            let length = Int(bench_receive(socket, &buffer, buffer.count))
            guard length >= 0 else { throw BenchError("the server is not there: errno \(-length)") }
            let now = bench_now()
            if now - lastSweep > Self.patience / 4 {
                lastSweep = now
                for index in slots.indices where !isDone[index] && now - slots[index].sentAt > Self.patience {
                    guard slots[index].tries < 8 else { throw BenchError("the server no longer answers") }
                    result.retransmissions += 1
                    try send(&slots[index])
                }
            }
            guard length > 0 else {
                _ = bench_wait(socket, 50)
                continue
            }
            guard let message = try? SIPMessage(parsing: Array(buffer[..<length])), let status = message.statusCode,
                let (index, serial) = place(in: message), index < slots.count, !isDone[index], slots[index].serial == serial,
                let cseq = try? message.cseq, cseq.number == sequence[slots[index].user]
            else { continue }
            if status == 401, !slots[index].isAuthenticated {
                try answer(message, &slots[index], index)
                continue
            }
            guard status >= 200 else { continue }
            if status == 200 { result.registrations += 1 } else { result.failures += 1 }
            if started < count {
                slots[index] = try begin(started % users, slot: index, serial: started)
                started += 1
            } else {
                isDone[index] = true
            }
        }
        result.nanoseconds = bench_now() - start
        return result
    }

    private mutating func begin(_ user: Int, slot: Int, serial: Int) throws -> Slot {
        sequence[user] += 1
        let request = request(user, slot: slot, serial: serial, authorization: nil)
        var slot = Slot(user: user, isAuthenticated: false, serial: serial, request: request, sentAt: 0, tries: 0)
        try send(&slot)
        return slot
    }

    private mutating func answer(_ challenge: SIPMessage, _ slot: inout Slot, _ index: Int) throws {
        let offers = DigestClient.readable(challenge.all(.wwwAuthenticate).map(\.value.bytes))
        var client = DigestClient(username: "u\(slot.user)", password: .text(password), entropy: entropy)
        // Another client nonce each time.
        _ = entropy.next()
        let subject = DigestSubject(method: Array("REGISTER".utf8)[...], uri: Array("sip:\(realm)".utf8)[...])
        guard let credentials = client.answer(offers, for: subject) else {
            throw BenchError("a 401 without a challenge that can be answered:\n\(challenge)")
        }
        sequence[slot.user] += 1
        slot.request = request(slot.user, slot: index, serial: slot.serial, authorization: credentials)
        slot.isAuthenticated = true
        slot.tries = 0
        try send(&slot)
    }

    private func send(_ slot: inout Slot) throws {
        slot.sentAt = bench_now()
        slot.tries += 1
        let result = bench_send(socket, slot.request, slot.request.count)
        guard result == 0 else { throw BenchError("sending failed: errno \(-result)") }
    }

    private func request(_ user: Int, slot: Int, serial: Int, authorization: [UInt8]?) -> [UInt8] {
        var builder = SIPMessageBuilder(.register, "sip:\(realm)")
        let step = authorization == nil ? 1 : 2
        builder.add(.via, "SIP/2.0/UDP \(own);branch=z9hG4bK\(slot).\(serial).\(step);rport")
        builder.add(.maxForwards, 70)
        builder.add(.from, "<sip:u\(user)@\(realm)>;tag=f\(serial)")
        builder.add(.to, "<sip:u\(user)@\(realm)>")
        builder.add(.callID, "bench-\(user)@127.0.0.1")
        builder.add(.cseq, "\(sequence[user]) REGISTER")
        builder.add(.contact, "<sip:u\(user)@\(own)>")
        builder.add(.expires, 3600)
        builder.add(.userAgent, "Pinhole benchmark")
        if let authorization { builder.add(.authorization, SIPText(authorization)) }
        return builder.bytes
    }

    /// Slot and serial number, from our branch.
    private func place(in message: SIPMessage) -> (slot: Int, serial: Int)? {
        guard let branch = (try? message.topVia)?.branch else { return nil }
        let parts = branch.bytes.dropFirst(7).split(separator: UInt8(ascii: "."))
        guard parts.count == 3, let slot = SIPText(parts[0]).decimal, let serial = SIPText(parts[1]).decimal else { return nil }
        return (Int(slot), Int(serial))
    }
}
