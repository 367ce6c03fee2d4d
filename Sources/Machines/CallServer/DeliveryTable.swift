import SIPStack

/// A MESSAGE on its way to several phones.
struct Delivery: Sendable {
    var request: ServerRequest
    let party: CallParty
    let aor: AddressOfRecord
    let isSecret: Bool
    var open = 0
    var isAnswered = false
    /// The lowest refusal; 0: none yet.
    var status = 0
}

struct DeliveryTable: Sendable {
    private var entries: [UInt32: Delivery] = [:]
    private var last: UInt32 = 0

    var count: Int { entries.count }

    mutating func begin(_ delivery: Delivery) -> UInt32 {
        repeat { last &+= 1 } while entries[last] != nil
        entries[last] = delivery
        return last
    }

    subscript(key: UInt32) -> Delivery? {
        _read { yield entries[key] }
        _modify { yield &entries[key] }
    }
}
