import Base
import SIP
import SIPStack

/// The INVITEs that phones sent us (RFC 3261 17.2.1), by transaction key.
struct InviteTransactions: Sendable {
    struct Entry: Sendable {
        var machine: ServerInviteTransaction
        /// Where responses go.
        var way: FlowID
        let request: ServerRequest
        private(set) var call: UInt32
        private(set) var leg: Int

        init(machine: ServerInviteTransaction, way: FlowID, request: ServerRequest, call: UInt32, leg: Int) {
            self.machine = machine
            self.way = way
            self.request = request
            self.call = call
            self.leg = leg
        }

        /// Its leg goes over into another call.
        mutating func move(to call: UInt32, leg: Int) {
            self.call = call
            self.leg = leg
        }
    }

    private var entries: [ReplyBook.Key: Entry] = [:]

    var count: Int { entries.count }

    subscript(key: ReplyBook.Key) -> Entry? {
        _read { yield entries[key] }
        _modify { yield &entries[key] }
    }
}
