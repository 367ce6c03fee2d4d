import Base
import Foundation
import GRDB
import ServerNode

extension PinholeDatabase {
    /// Makes changes durable, all or none of them, in one commit. Where the disk is full, call records give way.
    public func apply(_ changes: [RegistrarChange]) throws(StorageError) {
        while true {
            do throws(StorageError) {
                return try doing("storing bindings") { try queue.write { try Self.write(changes, to: $0) } }
            } catch {
                guard error.cause == .full, (try? makeRoom()) == true else { throw error }
            }
        }
    }

    /// Every stored binding whose time has not run out at `now`; the others are removed. A server starts: connections are gone.
    public func bindings(aliveAt now: Instant) throws(StorageError) -> [StoredBinding] {
        let all = try allBindings()
        let alive = all.filter { $0.binding.expires > now }
        let byName = Dictionary(grouping: alive, by: \.aor)
        // Whoever lost a binding is written anew: places count from 0 without gaps, as `formerCount` takes for granted.
        let changes = Set(all.filter { $0.binding.expires <= now }.map(\.aor)).map { aor in
            RegistrarChange(aor: aor, bindings: byName[aor, default: []].map(\.binding))
        }
        do throws(StorageError) {
            try apply(changes)
            try doing("storing bindings") {
                try queue.write { database in
                    try database.execute(
                        sql: "UPDATE binding SET dead_since = ? WHERE dead_since IS NULL AND transport <> 'UDP'",
                        arguments: [now.nanoseconds])
                }
            }
        } catch {
            // A server starts on a full disk as well.
            guard error.cause == .full else { throw error }
        }
        return alive
    }

    /// Every stored binding, for looking only.
    public func allBindings() throws(StorageError) -> [StoredBinding] {
        try doing("reading bindings") { try queue.read { try Self.read($0) } }
    }

    static func read(_ database: Database) throws -> [StoredBinding] {
        var result: [StoredBinding] = []
        let rows = try Row.fetchCursor(database, sql: "SELECT * FROM binding ORDER BY aor, place")
        while let row = try rows.next() {
            if let stored = stored(row) { result.append(stored) }
        }
        return result
    }

    static func write(_ changes: [RegistrarChange], to database: Database) throws {
        let insert = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO binding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        let cut = try database.cachedStatement(sql: "DELETE FROM binding WHERE aor = ? AND place >= ?")
        for change in changes {
            for (place, binding) in change.bindings.enumerated() {
                try write(binding, of: change.aor, place, with: insert)
            }
            guard change.formerCount > change.bindings.count else { continue }
            var row = RowWriter(cut)
            row.bind(change.aor.bytes[...])
            row.bind(Int64(change.bindings.count))
            try row.run()
        }
    }

    private static func write(_ binding: Binding, of aor: AddressOfRecord, _ place: Int, with insert: Statement) throws {
        var row = RowWriter(insert)
        row.bind(aor.bytes[...])
        row.bind(Int64(place))
        row.bind(binding.contact)
        row.bind(binding.parameters)
        row.bind(binding.callID)
        row.bind(Int64(binding.cseq))
        row.bind(binding.instance)
        row.bind(Int64(binding.regID))
        row.bind(binding.path)
        row.bind(binding.userAgent)
        row.bind(Int64(binding.q))
        row.bind(binding.expires.nanoseconds)
        row.bind(binding.updated.nanoseconds)
        row.bind(Array(binding.flow.transport.viaToken.utf8)[...])
        row.bind(binding.flow.local)
        row.bind(binding.flow.remote)
        row.bind(Int64(bitPattern: binding.flow.connection))
        row.bind(Int64(binding.verdict.rawValue))
        switch binding.reach {
        case .flowDead(let since), .connectionLost(let since): row.bind(since.nanoseconds)
        case .reachable: row.bind(nil)
        }
        row.bind(binding.domain)
        row.bind(binding.answered?.nanoseconds)
        try row.run()
    }

    private static func stored(_ row: Row) -> StoredBinding? {
        let token: String = row["transport"]
        guard let aor = AddressOfRecord(row["aor"] as String), let local = Endpoint(row["local"] as String),
            let remote = Endpoint(row["remote"] as String),
            let transport = SIPTransport.allCases.first(where: { $0.viaToken == token })
        else { return nil }
        func bytes(_ column: String) -> [UInt8] { Array((row[column] as String).utf8) }
        let deadSince = (row["dead_since"] as Int64?).map { Instant(nanoseconds: $0) }
        let answered: Int64? = row["answered"]
        let flow = FlowID(transport, local: local, remote: remote, connection: UInt64(bitPattern: row["connection"] as Int64))
        let binding = Binding(
            contact: bytes("contact"), parameters: bytes("parameters"), callID: bytes("call_id"), instance: bytes("instance"),
            path: bytes("path"), userAgent: bytes("user_agent"), domain: bytes("domain"),
            cseq: UInt32(clamping: row["cseq"] as Int64),
            regID: UInt32(clamping: row["reg_id"] as Int64), q: UInt16(clamping: row["q"] as Int64),
            expires: Instant(nanoseconds: row["expires"]), updated: Instant(nanoseconds: row["updated"]), flow: flow,
            verdict: PathVerdict(rawValue: UInt16(clamping: row["verdict"] as Int64)),
            reach: deadSince.map { transport.isReliable ? .connectionLost(since: $0) : .flowDead(since: $0) } ?? .reachable,
            answered: answered.map { Instant(nanoseconds: $0) })
        return binding.map { StoredBinding(aor: aor, binding: $0) }
    }
}
