import Base
import GRDB

import ServerNode

/// Call detail records: who talked with whom, when, and what became of the media.
extension PinholeDatabase {
    /// The newest `most` calls, the oldest of them first. `address`: only those with that caller or callee, `user` or `user@domain`. Verdicts
    /// come back as sentences only.
    public func calls(most: Int, address: String? = nil) throws(StorageError) -> [CallRecord] {
        try doing("reading call records") {
            try queue.read { database in
                let (match, arguments) = Self.match(address)
                let rows = try Row.fetchAll(
                    database, sql: "SELECT * FROM call \(match) ORDER BY ended DESC, id DESC LIMIT ?",
                    arguments: arguments + [most])
                return try rows.reversed().map { try Self.record($0, in: database) }
            }
        }
    }

    private static func match(_ address: String?) -> (String, StatementArguments) {
        guard let address else { return ("", []) }
        guard address.contains("@") else {
            let pattern = address.replacing("%", with: "").replacing("_", with: "\\_") + "@%"
            return (
                "WHERE caller = ? OR callee = ? OR caller LIKE ? ESCAPE '\\' OR callee LIKE ? ESCAPE '\\'",
                [address, address, pattern, pattern]
            )
        }
        return ("WHERE caller = ? OR callee = ?", [address, address])
    }

    static func write(_ call: CallRecord, to database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO call
                (number, call_id, account, caller, callee, began, answered, ended, status, reason, codec, direct, bytes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Int64(clamping: call.number), call.callID, call.account, call.from, call.to, call.start.nanoseconds,
                call.answer?.nanoseconds, call.end.nanoseconds, call.status, call.reason, call.codec, call.isDirect,
                size(of: call),
            ])
        let id = database.lastInsertedRowID
        for (place, party) in call.parties.enumerated() {
            try database.execute(
                sql: "INSERT INTO call_party VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    id, place, party.address, party.answered, party.flow?.transport.viaToken, party.flow.map { "\($0.local)" },
                    party.flow.map { "\($0.remote)" },
                ])
            for (index, stream) in party.streams.enumerated() {
                try database.execute(
                    sql: "INSERT INTO call_stream VALUES (?, ?, ?, ?, ?)",
                    arguments: [id, place, index, stream.kind, stream.text])
            }
        }
    }

    private static func record(_ row: Row, in database: Database) throws -> CallRecord {
        let id: Int64 = row["id"]
        let streams = try Row.fetchAll(
            database, sql: "SELECT * FROM call_stream WHERE call = ? ORDER BY party, place", arguments: [id])
        let parties = try Row.fetchAll(database, sql: "SELECT * FROM call_party WHERE call = ? ORDER BY place", arguments: [id])
        let answered: Int64? = row["answered"]
        return CallRecord(
            number: UInt64(clamping: row["number"] as Int64), callID: row["call_id"], account: row["account"],
            from: row["caller"], to: row["callee"],
            start: Instant(nanoseconds: row["began"]), answer: answered.map { Instant(nanoseconds: $0) },
            end: Instant(nanoseconds: row["ended"]), status: row["status"], reason: row["reason"], codec: row["codec"],
            isDirect: row["direct"],
            parties: parties.map { party in
                let place: Int = party["place"]
                let own = streams.filter { $0["party"] == place }
                return CallRecord.Party(
                    address: party["address"], flow: flow(party), answered: party["answered"],
                    streams: own.map { CallRecord.Stream(kind: $0["kind"], verdict: nil, text: $0["verdict"]) })
            })
    }

    private static func flow(_ row: Row) -> FlowID? {
        guard let token = row["transport"] as String?,
            let transport = SIPTransport.allCases.first(where: { $0.viaToken == token }),
            let local = (row["local"] as String?).flatMap({ Endpoint($0) }),
            let remote = (row["remote"] as String?).flatMap({ Endpoint($0) })
        else { return nil }
        return FlowID(transport, local: local, remote: remote)
    }
}
