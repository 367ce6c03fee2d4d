import Base
import Capture

/// What a program's log said about a request of a dialog.
struct Remark: Sendable {
    var remark: LogRemark
    var place: EvidencePlace
    var time: Int64
    /// Of the request it judges.
    var request: EvidencePlace
    /// As written.
    var text: String
}

/// An ICMP error about a flow.
struct ICMPNote: Sendable {
    var place: EvidencePlace
    var time: Int64
    /// Who complains.
    var source: PackedAddress
    var type: UInt8
    var code: UInt8
    var count: Int
    /// When they came, the first of them.
    var times: [Int64] = []

    static let mostTimes = 64

    var says: String {
        switch (type, code) {
        case (3, 0), (1, 0): "network unreachable"
        case (3, 1), (1, 3): "host unreachable"
        case (3, 3), (1, 4): "port unreachable"
        case (3, 4), (2, _): "packet too big"
        case (3, 9), (3, 10), (3, 13), (1, 1): "administratively prohibited"
        case (11, _), (3, _): "undeliverable"
        default: "ICMP type \(type) code \(code)"
        }
    }
}
