import Base
import Capture

/// What one end of one leg said in SDP, and when.
struct MediaEvent: Sendable {
    /// Nanoseconds.
    var time: Int64
    var place: EvidencePlace
    var leg: Int16
    var isFromCaller: Bool
    var flags: OfferedMedia.Flags
    var direction: OfferedMedia.Direction
    /// Where it wants audio.
    var address: PackedAddress
    var port: UInt16
    /// Where the packet that said so came from, and went to.
    var packetSource: PackedAddress
    var packetSourcePort: UInt16
    var packetDestination: PackedAddress
    var security = MediaSecurity()
    /// Others on its way can read it: it did not come over TLS.
    var isReadable = true
    /// Where it wants a fax (T.38), if it does.
    var fax: MediaPlace?
    /// Index of its list of formats.
    var formats: UInt16
    var types: PayloadTypes

    /// Says the same as another of the same end.
    func repeats(_ other: MediaEvent) -> Bool {
        leg == other.leg && isFromCaller == other.isFromCaller && flags == other.flags && direction == other.direction
            && address == other.address && port == other.port && packetSource == other.packetSource && types == other.types
            && security == other.security && fax == other.fax
    }

    var isBothWays: Bool { flags.contains(.hasAudio) && direction == .both && !flags.contains(.isNulled) }
    var goal: MediaPlace { MediaPlace(address, port) }
    var endpoint: Endpoint { Endpoint(address.address, port) }
}

/// A call's media as signalled: descriptions in order, and when it was answered and ended.
struct CallMedia: Sendable {
    static let mostEvents = 32
    static let unknown = Int64.min

    let dialog: Int
    let file: UInt16
    var began: Int64
    var answered = CallMedia.unknown
    var ended = CallMedia.unknown
    var answeredPlace: EvidencePlace?
    /// Its caller gave it up before it was answered: it has nobody to speak to, if it is answered after all.
    var isCancelled = false
    var events: [MediaEvent] = []
    /// Named by ICE; of the caller if the flag says so.
    var candidates: [(address: PackedAddress, port: UInt16, isCaller: Bool)] = []

    init(dialog: Int, file: UInt16, began: Int64) {
        self.dialog = dialog
        self.file = file
        self.began = began
    }

    mutating func note(_ event: MediaEvent) {
        if let last = events.last(where: { $0.leg == event.leg && $0.isFromCaller == event.isFromCaller }), event.repeats(last) {
            return
        }
        // The first say who takes part, the last what counts now.
        if events.count >= Self.mostEvents { events.remove(at: Self.mostEvents / 2) }
        events.append(event)
    }

    var legs: [Int16] {
        var result: [Int16] = []
        for event in events where !result.contains(event.leg) { result.append(event.leg) }
        return result
    }

    /// What one end of a leg said last, before an instant if one is given.
    func said(_ leg: Int16, caller: Bool, before time: Int64 = .max) -> MediaEvent? {
        events.last { $0.leg == leg && $0.isFromCaller == caller && $0.time <= time }
    }

    /// Stretches of time after the answer in which both ends of a leg want to hear and be heard. `end`: where the capture ends.
    func activePeriods(_ leg: Int16, until end: Int64) -> [RTPStream.Activity] {
        guard answered != Self.unknown, !isCancelled else { return [] }
        let stop = ended == Self.unknown ? end : min(end, ended)
        var periods: [RTPStream.Activity] = []
        var from: Int64?
        var both: (caller: MediaEvent?, callee: MediaEvent?) = (nil, nil)
        for event in events where event.leg == leg && event.time < stop {
            if event.isFromCaller { both.caller = event } else { both.callee = event }
            // Where both agree on a fax there is nothing to be heard any more.
            let isActive =
                both.caller?.isBothWays ?? false && both.callee?.isBothWays ?? false
                && (both.caller?.fax == nil || both.callee?.fax == nil)
            if isActive {
                if from == nil { from = max(event.time, answered) }
            } else if let start = from {
                if event.time > start { periods.append(RTPStream.Activity(from: start, to: event.time)) }
                from = nil
            }
        }
        if let from, stop > from { periods.append(RTPStream.Activity(from: from, to: stop)) }
        return periods
    }
}
