import Base
import Foundation
import GRDB
import ServerNode

extension PinholeDatabase {
    /// Makes changes durable, all or none of them, in one commit.
    public func apply(_ changes: [RegistrarChange]) throws(StorageError) {
        try doing("storing bindings") {
            try queue.write { database in
                let insert = try database.cachedStatement(
                    sql: "INSERT OR REPLACE INTO binding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                let cut = try database.cachedStatement(sql: "DELETE FROM binding WHERE aor = ? AND place >= ?")
                for change in changes {
                    let aor = change.aor.description
                    for (place, binding) in change.bindings.enumerated() {
                        insert.setUncheckedArguments(Self.row(aor, place, binding))
                        try insert.execute()
                    }
                    cut.setUncheckedArguments([aor, change.bindings.count])
                    try cut.execute()
                }
            }
        }
    }

    /// Every stored binding whose time has not run out at `now`; the others are removed.
    public func bindings(aliveAt now: Instant) throws(StorageError) -> [StoredBinding] {
        try doing("reading bindings") {
            try queue.write { database in
                try database.execute(sql: "DELETE FROM binding WHERE expires <= ?", arguments: [now.nanoseconds])
                return try Self.read(database)
            }
        }
    }

    /// Every stored binding, for looking only.
    public func allBindings() throws(StorageError) -> [StoredBinding] {
        try doing("reading bindings") { try queue.read { try Self.read($0) } }
    }

    private static func read(_ database: Database) throws -> [StoredBinding] {
        var result: [StoredBinding] = []
        let rows = try Row.fetchCursor(database, sql: "SELECT * FROM binding ORDER BY aor, place")
        while let row = try rows.next() {
            if let stored = stored(row) { result.append(stored) }
        }
        return result
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    static func row(_ aor: String, _ place: Int, _ binding: Binding) -> StatementArguments {
        let deadSince: Int64? =
            switch binding.reach {
            case .flowDead(let since): since.nanoseconds
            case .reachable, .connectionLost: nil
            }
        return [
            aor, place, text(binding.contact), text(binding.parameters), text(binding.callID), Int64(binding.cseq),
            text(binding.instance), Int64(binding.regID), text(binding.path), text(binding.userAgent), Int64(binding.q),
            binding.expires.nanoseconds, binding.updated.nanoseconds, binding.flow.transport.viaToken,
            binding.flow.local.description, binding.flow.remote.description, Int64(bitPattern: binding.flow.connection),
            Int64(binding.verdict.rawValue), deadSince,
        ]
    }

    private static func stored(_ row: Row) -> StoredBinding? {
        let token: String = row["transport"]
        guard let aor = AddressOfRecord(row["aor"] as String), let local = Endpoint(row["local"] as String),
            let remote = Endpoint(row["remote"] as String),
            let transport = SIPTransport.allCases.first(where: { $0.viaToken == token })
        else { return nil }
        func bytes(_ column: String) -> [UInt8] { Array((row[column] as String).utf8) }
        let deadSince: Int64? = row["dead_since"]
        let flow = FlowID(transport, local: local, remote: remote, connection: UInt64(bitPattern: row["connection"] as Int64))
        let binding = Binding(
            contact: bytes("contact"), parameters: bytes("parameters"), callID: bytes("call_id"), instance: bytes("instance"),
            path: bytes("path"), userAgent: bytes("user_agent"), cseq: UInt32(clamping: row["cseq"] as Int64),
            regID: UInt32(clamping: row["reg_id"] as Int64), q: UInt16(clamping: row["q"] as Int64),
            expires: Instant(nanoseconds: row["expires"]), updated: Instant(nanoseconds: row["updated"]), flow: flow,
            verdict: PathVerdict(rawValue: UInt16(clamping: row["verdict"] as Int64)),
            reach: deadSince.map { .flowDead(since: Instant(nanoseconds: $0)) } ?? .reachable)
        return binding.map { StoredBinding(aor: aor, binding: $0) }
    }
}
