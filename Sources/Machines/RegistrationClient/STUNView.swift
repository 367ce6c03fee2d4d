import Base

/// Who answers STUN requests that leave from the SIP socket.
enum STUNSource: Hashable, Sendable {
    case server
    /// The registrar, on its SIP port (RFC 5626 4.4.2).
    case registrar
}

/// From when until when an observer said the same.
struct Sighting: Hashable, Sendable {
    var first: Instant
    var last: Instant

    init(_ former: Sighting?, isSame: Bool, at now: Instant) {
        first = isSame ? former?.first ?? now : now
        last = now
    }

    /// So long apart that a mapping may have run out between them.
    func isApart(from other: Sighting) -> Bool {
        first > other.last + .seconds(5) || other.first > last + .seconds(5)
    }
}

/// What one STUN observer says of the SIP socket, and how far it is believed.
struct STUNView: Hashable, Sendable {
    /// After so many equal answers in a row any view counts as steady.
    static let mostRequired = 64

    private(set) var seen: Endpoint?
    /// From when until when it said so.
    private(set) var times: Sighting?
    /// What it said when a REGISTER last went the same way; nil before it said anything.
    private(set) var told: Endpoint?
    /// It once reported a change that the registrar did not see: its mapping is not SIP's.
    var isMisleading = false
    /// Equal answers in a row.
    private var sightings = 0
    /// How many equal answers make it steady; more each time a change was believed.
    private var required = 1

    /// It said the same for long enough that a change means something.
    var isSteady: Bool { sightings >= required }

    mutating func note(_ endpoint: Endpoint, at now: Instant) {
        times = Sighting(times, isSame: seen == endpoint, at: now)
        sightings = seen == endpoint ? min(sightings + 1, Self.mostRequired) : 1
        seen = endpoint
    }

    /// The registrar knows the path as it is seen now.
    mutating func isTold() { told = seen }

    /// A change it reported is followed unconfirmed; the next one has to be the better founded.
    mutating func isBelieved() {
        told = seen
        required = min(required * 2, Self.mostRequired)
    }
}
