import Base
import Capture
import DNS

/// A description whose `c=` names a host (RFC 8866 5.7), and who has to find it.
struct NamedPlace: Sendable {
    var dialog: Int
    var name: String
    var teller: PackedEndpoint
    var hearer: PackedEndpoint
    var isFromCaller: Bool
    var time: Int64
    var said: Evidence
    var subject: FindingSubject
}

extension Judge {
    static let mostNamedPlaces = 4_096

    mutating func notePlaces(_ c: DialogCase, _ table: SignallingTable) {
        guard c.isFinal else { return }
        for step in c.steps where step.sdp >= 0 && step.isFirst && namedPlaces.count < Self.mostNamedPlaces {
            guard let description = table.description(step), description.isAudio, description.port != 0,
                description.connection.kind == .name, let bytes = Self.bytes(step, table),
                let line = MessageExcerpt.lines(bytes).map({ String(decoding: bytes[$0], as: UTF8.self) }).first(where: {
                    $0.hasPrefix("c=IN ")
                }), let name = line.split(separator: " ").last
            else { continue }
            namedPlaces.append(
                NamedPlace(
                    dialog: c.number, name: String(name), teller: table.endpoints[step.record.source],
                    hearer: table.endpoints[step.record.destination], isFromCaller: step.flags.contains(.fromClient),
                    time: step.nanoseconds, said: Self.evidence(step, table, ["CSeq", "c", "m"], "names a host"),
                    subject: Self.subject(c, step, table)))
        }
    }

    /// dns.failed of a name in `c=`: who has to send audio there asks for it, is told that there is none, and sends nothing.
    ///
    /// Innocent: names that are found in the end, ends that send all the same, and captures that show neither question nor audio.
    func unresolvedPlaces(_ ledger: NameLedger, media: MediaAnalysis) -> [Finding] {
        var result: [Finding] = []
        var told = Set<Int>()
        for place in namedPlaces where result.count < 50 {
            guard let name = DNSName(place.name) else { continue }
            let asked = [DNSRecordType.a, .aaaa].compactMap { type in
                let key = NameLedger.Key(file: place.said.place.file, client: place.hearer.address, name: name, type: type)
                return ledger.lookUps[key].map { (key: key, value: $0) }
            }
            guard let (key, lookUp) = asked.min(by: { $0.value.first < $1.value.first }), let code = lookUp.code,
                asked.allSatisfy({ !$0.value.hasFound }), code == .nameError || code == .noError,
                !media.isHeardOn(dialog: place.dialog, caller: !place.isFromCaller, from: place.time),
                media.isHeardOn(dialog: place.dialog, caller: place.isFromCaller, from: place.time),
                told.insert(place.dialog).inserted
            else { continue }
            let (teller, hearer) = (Self.name(place.teller), Self.name(place.hearer))
            result.append(
                Finding(
                    .dnsFailed, .fault,
                    "\(hearer) sends no audio: \(teller) wants its audio at \(place.name), and the name server \(lookUp.server.address) says that there is no such name.",
                    details: [
                        "A name in c= has to be known to whoever sends there; most programs write addresses (RFC 8866 5.7)."
                    ],
                    evidence: [
                        place.said,
                        Evidence(
                            place: lookUp.answer ?? lookUp.first,
                            source: Endpoint(lookUp.server.address.address, lookUp.server.port),
                            destination: Endpoint(key.client.address, 0), excerpt: "DNS \(key.type) \(place.name): \(code)",
                            says: "the answer"),
                    ], culprit: .proved(teller), confidence: .likely,
                    remedies: [
                        Remedy(
                            place.isFromCaller ? .phone : .server,
                            "Let \(teller) write its address instead of a name into its descriptions, or give it a name that others know."
                        ),
                        Remedy(.network, "Or let the name server \(lookUp.server.address) know \(place.name)."),
                    ], subject: place.subject))
        }
        return result
    }
}
