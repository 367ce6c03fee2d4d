import Base
import Capture

extension Analyzer {
    /// Learns the NAT's outside address where answers tell it to a host inside (`received`, RFC 3261 18.2.1), or where a host inside gets
    /// back, from a proxy outside, the request of another: the lowest Via is the sender's, and its branch tells whose (8.1.1.7).
    mutating func noteOutside(_ dialog: Int, _ step: Step, _ facts: MessageFacts, _ p: Bytes) {
        let (source, destination) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        guard destination.address.isPrivateNetwork, source.isKnown, !source.address.isPrivateNetwork else { return }
        let file = step.record.place.file
        guard facts.isRequest else {
            if facts.hasReceived, facts.received.kind == .address {
                media.outsides.note(facts.received.address, of: destination.address, file: UInt16(clamping: file))
            }
            return
        }
        guard step.method == .invite, step.isFirst, facts.viaCount > 1 else { return }
        let vias = MessageExcerpt.fields(Array(p)).filter { $0.name == "Via" }.flatMap { $0.value.split(separator: ",") }
        guard vias.count > 1, let text = vias.last.map(String.init), let mark = text.firstRange(of: "branch=") else { return }
        let branch = text[mark.upperBound...].prefix { $0 != ";" && $0 != " " }
        let place = text.split(separator: " ").dropFirst().first.map { $0.prefix { $0 != ";" && $0 != ":" } } ?? ""
        guard let address = IPAddress(String(place)) else { return }
        let hash = Array(branch.utf8).withUnsafeBytes { $0.hash(Span(0, $0.count)) }
        var at = table.dialogs[dialog].lastStep
        var looked = 0
        while at >= 0, looked < 16 {
            let other = table.steps[Int(at)]
            let sender = table.endpoints[other.record.source].address
            if other.isRequest, other.branch == hash, sender.isPrivateNetwork {
                media.outsides.note(PackedAddress(address), of: sender, file: UInt16(clamping: file))
                return
            }
            at = other.record.previous
            looked += 1
        }
    }
}
