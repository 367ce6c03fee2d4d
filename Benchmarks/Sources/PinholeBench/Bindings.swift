import Base
import CSockets
import Foundation
import SIP
import SIPStack
import ServerNode

/// A registrar that holds `size` bindings, without sockets or storage: what one more registration costs it, and what it weighs.
private struct FilledServer {
    let size: Int
    var node: ServerNode
    var now = Instant(seconds: 1_800_000_000)
    /// Of each user's last REGISTER.
    var sequence: [UInt32]
    private let secret = "the same for everyone"
    private let realm = "bench.example"

    init(size: Int) {
        self.size = size
        sequence = [UInt32](repeating: 0, count: size)
        var settings = ServerSettings()
        settings.realm = realm
        settings.algorithms = [.md5]
        settings.limits = .trusted
        settings.keepalive.interval = nil
        node = ServerNode(settings: settings, entropy: Entropy(labSeed: UInt64(size)), traces: TraceBox(isOn: false))
    }

    mutating func addAccounts() {
        let password = secret
        let accounts = (0..<size).map { Account(username: "u\($0)", realm: realm, password: password) }
        node.receive(.accounts(accounts), at: now)
    }

    /// Registers `users` with challenge and answer; nanoseconds of CPU the node took for each, the client's work left out.
    mutating func register(_ users: [Int]) throws -> Double {
        let flows = users.map(flow)
        let first = users.map { request($0, nil) }
        var replies: [[UInt8]] = []
        replies.reserveCapacity(users.count)
        var spent = take(first, flows, &replies)
        guard replies.count == users.count else { throw BenchError("\(users.count) requests, \(replies.count) replies") }
        let second = try zip(users, replies).map { try request($0.0, credentials(for: $0.0, challenge: $0.1)) }
        replies.removeAll(keepingCapacity: true)
        spent += take(second, flows, &replies)
        guard replies.count == users.count, replies.allSatisfy({ $0.starts(with: "SIP/2.0 200".utf8) }) else {
            throw BenchError("a registration was refused: \(String(decoding: replies.last ?? [], as: UTF8.self))")
        }
        return Double(spent) / Double(users.count)
    }

    private mutating func take(_ requests: [[UInt8]], _ flows: [FlowID], _ replies: inout [[UInt8]]) -> Int64 {
        let start = bench_thread_cpu()
        for (request, flow) in zip(requests, flows) {
            now = now + .microseconds(20)
            // As the edge does: the bytes are copied out of the receive buffer.
            let bytes = request.withUnsafeBytes { [UInt8]($0) }
            node.receive(.received(on: flow, bytes), at: now)
            if let deadline = node.nextDeadline, deadline <= now { node.advance(to: now) }
            while let output = node.nextOutput() {
                if case .send(_, let bytes) = output { replies.append(bytes) }
            }
        }
        return bench_thread_cpu() - start
    }

    /// Everybody behind an address of his own.
    private func flow(_ user: Int) -> FlowID {
        let address = IPv4Address(bits: 0x0a00_0000 &+ UInt32(truncatingIfNeeded: user))
        return FlowID(.udp, local: Endpoint(.v4(IPv4Address(192, 0, 2, 1)), 5060), remote: Endpoint(.v4(address), 5060))
    }

    private mutating func request(_ user: Int, _ authorization: [UInt8]?) -> [UInt8] {
        sequence[user] += 1
        var builder = SIPMessageBuilder(.register, "sip:\(realm)")
        builder.add(.via, "SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(user).\(sequence[user]);rport")
        builder.add(.maxForwards, 70)
        builder.add(.from, "<sip:u\(user)@\(realm)>;tag=f\(sequence[user])")
        builder.add(.to, "<sip:u\(user)@\(realm)>")
        builder.add(.callID, "bench-\(user)@192.168.1.20")
        builder.add(.cseq, "\(sequence[user]) REGISTER")
        builder.add(.contact, "<sip:u\(user)@192.168.1.20:5060>")
        builder.add(.expires, 3600)
        builder.add(.userAgent, "Pinhole benchmark")
        if let authorization { builder.add(.authorization, SIPText(authorization)) }
        return builder.bytes
    }

    private func credentials(for user: Int, challenge: [UInt8]) throws -> [UInt8] {
        let message = try SIPMessage(parsing: challenge)
        var client = DigestClient(username: "u\(user)", password: .text(secret), entropy: Entropy(labSeed: UInt64(user)))
        let subject = DigestSubject(method: Array("REGISTER".utf8)[...], uri: Array("sip:\(realm)".utf8)[...])
        let offers = DigestClient.readable(message.all(.wwwAuthenticate).map(\.value.bytes))
        guard let credentials = client.answer(offers, for: subject) else { throw BenchError("no challenge in \(message)") }
        return credentials
    }
}

/// Fills a server of each size, then refreshes random users of all of them in turn, so that a noisy moment strikes each alike.
///
/// Prints for each size: bindings, bytes an account, bytes a binding (both of resident memory), nanoseconds a first registration,
/// nanoseconds a refresh (median of the rounds).
func measureBindings(_ sizes: [Int]) throws {
    var servers: [FilledServer] = []
    var lines: [String] = []
    for size in sizes {
        var server = FilledServer(size: size)
        let empty = residentBytes()
        server.addAccounts()
        let known = residentBytes()
        var first: [Double] = []
        for start in stride(from: 0, to: size, by: 1000) {
            first.append(try server.register(Array(start..<min(start + 1000, size))))
        }
        let full = residentBytes()
        guard server.node.bindingCount == size else { throw BenchError("\(server.node.bindingCount) bindings, wanted \(size)") }
        let mean = first.reduce(0, +) / Double(first.count)
        lines.append("bindings \(size) account \((known - empty) / size) binding \((full - known) / size) first \(mean)")
        servers.append(server)
    }
    var entropy = Entropy(labSeed: 7)
    var rounds = [[Double]](repeating: [], count: servers.count)
    for round in 0..<21 {
        // Forwards and backwards in turn: nobody always comes after the largest.
        for index in round.isMultiple(of: 2) ? Array(servers.indices) : servers.indices.reversed() {
            let size = servers[index].size
            var users: Set<Int> = []
            while users.count < min(size, 1000) { users.insert(Int(entropy.next() % UInt64(size))) }
            let cost = try servers[index].register(Array(users))
            rounds[index].append(cost)
        }
    }
    for (line, round) in zip(lines, rounds) { print("\(line) refresh \(round.sorted()[round.count / 2])") }
}

private func residentBytes() -> Int {
    let text = FileManager.default.contents(atPath: "/proc/self/statm").map { String(decoding: $0, as: UTF8.self) } ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
}
