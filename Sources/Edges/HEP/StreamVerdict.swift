import Base
import CallServer
import MediaControl

/// What became of one stream of a call that is over.
public struct StreamVerdict: Sendable {
    /// Of the caller's dialog.
    public var callID: String
    /// `alice@example.com`, or the name of a service.
    public var party: String
    /// `audio`, `video`, `image`.
    public var kind: String
    public var codec: String
    /// The verdict as a sentence.
    public var text: String
    /// nil: the media plane told none in time.
    public var numbers: MediaVerdict?
}

extension HEPItem {
    /// One for each stream of a call. From where its media came, or its SDP said, or else from its phone's flow; to the flow's own end of ours.
    public static func verdicts(of record: CallRecord) -> [HEPItem] {
        record.parties.flatMap { party in
            party.streams.map { stream in
                let verdict = StreamVerdict(
                    callID: record.callID, party: party.address, kind: stream.kind, codec: record.codec, text: stream.text,
                    numbers: stream.verdict)
                let nowhere = Endpoint(.v4(.any), 0)
                let ours = party.flow.map { Endpoint($0.local.address, 0) } ?? nowhere
                let theirs = stream.verdict?.source?.endpoint ?? stream.verdict?.signalled ?? party.flow?.remote ?? nowhere
                // Chunks of one packet are of one family.
                let isOne = ours.address.isIPv6 == theirs.address.isIPv6
                let none = Endpoint(theirs.address.isIPv6 ? .v6(.any) : .v4(.any), 0)
                return HEPItem(.verdict(verdict), from: theirs, to: isOne ? ours : none, at: record.end)
            }
        }
    }
}
