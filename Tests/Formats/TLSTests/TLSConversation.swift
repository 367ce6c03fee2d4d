import CaptureCrypto
import Fixtures
import TLS

/// A talk of the fixtures as records.
struct TLSConversation {
    var keys: [String] = []
    var turns: [(side: TLSSide, bytes: [UInt8])] = []

    init(_ name: String) throws {
        let talk = try TLSTalk(name)
        keys = talk.keys
        turns = talk.turns.map { ($0.isClient ? .client : .server, $0.octets) }
    }

    var log: TLSKeyLog {
        var log = TLSKeyLog()
        log.read(Array(keys.joined(separator: "\n").utf8))
        log.endLine()
        return log
    }

    /// Every record of a side, in order.
    func records(of side: TLSSide) -> [[UInt8]] {
        let stream = turns.filter { $0.side == side }.flatMap(\.bytes)
        var records: [[UInt8]] = []
        var at = 0
        while at + 5 <= stream.count {
            let end = min(stream.count, at + 5 + Int(stream[at + 3]) << 8 + Int(stream[at + 4]))
            records.append(Array(stream[at..<end]))
            at = end
        }
        return records
    }

    /// What an onlooker reads, where records come as they came, apart from `change`.
    func read(
        _ log: TLSKeyLog? = nil, _ change: (inout [[UInt8]], TLSSide) -> Void = { _, _ in }
    ) -> (client: String, server: String, outcomes: [TLSConnection.Outcome]) {
        var connection = TLSConnection()
        var outcomes: [TLSConnection.Outcome] = []
        var text: [TLSSide: [UInt8]] = [:]
        var queues: [TLSSide: [[UInt8]]] = [:]
        for side in [TLSSide.client, .server] {
            var list = records(of: side)
            change(&list, side)
            queues[side] = list
        }
        // The client first, until it must wait for the server: the order matters in no other way.
        var side = TLSSide.client
        var isBlocked = false
        while true {
            guard let record = queues[side]!.first else {
                if isBlocked || queues[side.other]!.isEmpty { break }
                isBlocked = true
                side = side.other
                continue
            }
            let outcome = record.withUnsafeBytes { connection.receive($0, from: side, log ?? self.log, .libcrypto) }
            if case .waits = outcome {
                if isBlocked { break }
                isBlocked = true
                side = side.other
                continue
            }
            isBlocked = false
            queues[side]!.removeFirst()
            switch outcome {
            case .text(let octets): text[side, default: []] += octets
            case .nothing: break
            case .waits, .lost, .unreadable: outcomes.append(outcome)
            }
            if case .unreadable = outcome { break }
        }
        return (
            String(decoding: text[.client] ?? [], as: UTF8.self), String(decoding: text[.server] ?? [], as: UTF8.self), outcomes
        )
    }

    static func message(_ number: Int, isAnswer: Bool) -> String {
        (isAnswer ? "SIP/2.0 200 OK\r\n" : "OPTIONS sip:box@example.org SIP/2.0\r\n")
            + """
            Via: SIP/2.0/TLS 192.0.2.20:41000;branch=z9hG4bKtls\(number)\r
            From: <sip:ada@example.org>;tag=a\(number)\r
            To: <sip:box@example.org>\(isAnswer ? ";tag=b" : "")\r
            Call-ID: tls-\(number)@example.org\r
            CSeq: \(number) OPTIONS\r
            Content-Length: 0\r
            \r

            """
    }
}
