import Base
import GRDB
import GRDBSQLite

/// Binds a prepared statement's arguments from bytes and runs it.
///
/// Bindings are written at the rate phones register; going through `String` and boxed values costs several times what
/// SQLite itself takes. The statement is GRDB's, so preparing, caching and the transaction stay with it.
struct RowWriter {
    private let statement: OpaquePointer
    private var index: Int32 = 0
    /// Tells SQLite to copy what it is given before the call returns.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    init(_ statement: Statement) {
        self.statement = statement.sqliteStatement
        sqlite3_reset(self.statement)
    }

    mutating func bind(_ text: ArraySlice<UInt8>) {
        index += 1
        text.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            // No bytes may mean no address, which SQLite would take for NULL.
            _ =
                start.map { sqlite3_bind_text(statement, index, $0, Int32(bytes.count), Self.copied) }
                ?? sqlite3_bind_text(statement, index, "", 0, Self.copied)
        }
    }

    mutating func bind(_ number: Int64?) {
        index += 1
        if let number {
            sqlite3_bind_int64(statement, index, number)
        } else {
            sqlite3_bind_null(statement, index)
        }
    }

    mutating func bind(_ endpoint: Endpoint) {
        guard case .v4(let address) = endpoint.address else {
            bind(Array(endpoint.description.utf8)[...])
            return
        }
        var text: [UInt8] = []
        text.reserveCapacity(21)
        let (a, b, c, d) = address.octets
        for (place, octet) in [a, b, c, d].enumerated() {
            if place > 0 { text.append(UInt8(ascii: ".")) }
            Self.append(UInt16(octet), to: &text)
        }
        text.append(UInt8(ascii: ":"))
        Self.append(endpoint.port, to: &text)
        bind(text[...])
    }

    private static func append(_ number: UInt16, to text: inout [UInt8]) {
        var divisor: UInt16 = 10_000
        while divisor > 1, number < divisor { divisor /= 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    /// Throws what SQLite says.
    func run() throws {
        let code = sqlite3_step(statement)
        sqlite3_reset(statement)
        guard code == SQLITE_DONE || code == SQLITE_ROW else {
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errstr(code)))
        }
    }
}
