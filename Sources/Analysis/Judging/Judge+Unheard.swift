import Base
import Capture

extension Judge {
    /// Audio that went on until shortly before the call ended was sent all the same.
    static let lastAudio: Int64 = 5 * second

    /// Who hears nothing for long ends the call; where media shows what was not heard, that is told. Not on hold, as far as is known.
    mutating func endedBySilence(_ bye: Step, _ reason: String, _ c: inout DialogCase, _ table: SignallingTable) {
        let (listener, speaker) = (table.endpoints[bye.record.source], table.endpoints[bye.record.destination])
        let (name, mute) = (Self.name(listener), Self.name(speaker))
        let offers = exchanges(c).filter { c.steps[$0.offer].leg == bye.leg }
        let copy = c
        // A log shows no media, and no hold stands before.
        let isLog = bye.record.place.kind == .line
        let place = offers.last.flatMap { mediaPlace(of: bye, $0, c, table) } ?? name
        let isSpeakerCaller = bye.flags.contains(.fromClient) == false
        draft(
            .silence(
                dialog: c.number, speakerIsCaller: offers.isEmpty ? nil : isSpeakerCaller, until: bye.nanoseconds),
            .sipTimerDrop, .fault, variant: 44, &c, server: c.server(bye, table).address
        ) {
            Finding(
                .sipTimerDrop, .fault,
                "A timer ended the call, nobody hung up: \(name) sent BYE because it heard no audio"
                    + (offers.isEmpty ? "" : " from \(mute)") + ", as it says: \(reason).",
                details: [
                    offers.isEmpty
                        ? isLog
                            ? "No hold stands before it in the log: the other end's audio did not arrive, or that end sent none."
                            : "On hold or muted, a phone may send nothing at all for as long as it lasts."
                        : "The call was not on hold: offer and answer said sendrecv to the end."
                ],
                evidence: [Self.evidence(bye, table, ["Reason", "CSeq"], "the reason")], culprit: .unknown, confidence: .likely,
                remedies: offers.isEmpty
                    ? (isLog
                        ? [
                            Remedy(
                                .network,
                                "Find where the audio gets lost: capture RTP at \(name), and see that each SDP names a place it can reach."
                            )
                        ] : []) + [
                            Remedy(
                                .server, "Give calls on hold a longer limit at \(name), or none.",
                                commands: ["Asterisk pjsip: rtp_timeout_hold=0", "FreeSWITCH: rtp-hold-timeout-sec"]),
                            Remedy(.phone, "Let the phone send audio or comfort noise on hold, and RTCP beside it."),
                        ]
                    : [
                        Remedy(
                            .network,
                            "Find where the audio from \(mute) to \(place) gets lost: capture RTP where it leaves, and see that firewalls and NAT on the way let it out."
                        ),
                        Remedy(
                            .server,
                            "See that \(mute) sends at all: who hears nothing itself may wait for the other end's first packet."),
                    ], subject: Self.subject(copy, bye, table))
        }
    }

    /// Where the sender of a BYE wanted its audio.
    private func mediaPlace(of bye: Step, _ exchange: Exchange, _ c: DialogCase, _ table: SignallingTable) -> String? {
        let isOffer = c.steps[exchange.offer].record.source == bye.record.source
        let own = c.steps[isOffer ? exchange.offer : exchange.answer]
        guard let said = table.description(own), said.port != 0, said.connection.kind == .address else { return nil }
        return "\(said.connection.address):\(said.port)"
    }
}
