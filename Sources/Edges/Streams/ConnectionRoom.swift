import Base

/// How many connections there is room for, who may stay, and who gives way (docs/decisions/0011).
///
/// A stranger is a connection that proved nothing yet, from where no account was proved lately. Strangers have half of the room at most; the
/// oldest of them gives way to a new one, and to a known source where all the room is taken. A source at its cap makes room for itself by its own
/// oldest connection that proved nothing. What proved itself is never cut.
package struct ConnectionRoom: Sendable {
    package enum Admission: Hashable, Sendable {
        /// `givingWay`: the connection to be closed for it.
        case admitted(givingWay: UInt64?)
        /// All the room is taken by those who may stay.
        case full
        /// All that one source may have is taken by those who may stay.
        case sourceFull
    }

    private struct Place: Sendable {
        /// Nearest first.
        var sources: [Source]
        var isProved = false
        var isStranger: Bool
    }

    /// The connections of one source.
    private struct Crowd: Sendable {
        var count = 0
        var unproved = Line()
    }

    private let room: Int
    private let perSource: Int
    private var places: [UInt64: Place] = [:]
    private var crowds: [Source: Crowd] = [:]
    private var strangers = Line()
    /// What proved nothing yet, from where an account was proved lately.
    private var hopefuls = Line()
    private var known: TwoGenerations<Source, ContinuousClock.Instant>

    /// How long a source stays known.
    package static let knownFor = Duration.seconds(30 * 86_400)

    /// `room`: connections in all. `perSource`: of an IPv4 address or a /64; a /56 may have four times as many.
    package init(room: Int, perSource: Int, knownSources: Int = 65_536) {
        self.room = max(room, 1)
        self.perSource = max(perSource, 1)
        known = TwoGenerations(cap: knownSources)
    }

    package var count: Int { places.count }

    /// A connection came. `number`: higher than all before.
    package mutating func admit(_ number: UInt64, _ flow: FlowID, at now: ContinuousClock.Instant) -> Admission {
        let nearest = Source(flow)
        let sources = nearest.isIPv6 ? [nearest, Source(flow, prefix: 56)] : [nearest]
        let isStranger = !isKnown(nearest, at: now)
        var givesWay: UInt64?
        for (step, source) in sources.enumerated() where crowds[source]?.count ?? 0 >= perSource << (2 * step) {
            guard let oldest = crowds[source]?.unproved.oldest else { return .sourceFull }
            givesWay = oldest
            break
        }
        if givesWay == nil {
            if isStranger, strangers.count >= max(room / 2, 1) {
                givesWay = strangers.oldest
            } else if places.count >= room {
                guard let oldest = strangers.oldest ?? (isStranger ? nil : hopefuls.oldest) else { return .full }
                givesWay = oldest
            }
        }
        if let givesWay { leave(givesWay) }
        places[number] = Place(sources: sources, isStranger: isStranger)
        for source in sources {
            crowds[source, default: Crowd()].count += 1
            crowds[source]?.unproved.append(number)
        }
        if isStranger { strangers.append(number) } else { hopefuls.append(number) }
        return .admitted(givingWay: givesWay)
    }

    /// The connection may stay. `isAccount`: an account proved itself over it, so that its source is known from now on.
    package mutating func prove(_ number: UInt64, isAccount: Bool, at now: ContinuousClock.Instant) {
        guard let place = places[number] else { return }
        if isAccount, let source = place.sources.first { known.change(source, or: now) { $0 = now } }
        guard !place.isProved else { return }
        places[number]?.isProved = true
        for source in place.sources { crowds[source]?.unproved.remove(number) }
        if place.isStranger { strangers.remove(number) } else { hopefuls.remove(number) }
    }

    /// The connection is gone, or must go.
    package mutating func leave(_ number: UInt64) {
        guard let place = places.removeValue(forKey: number) else { return }
        for source in place.sources {
            guard let crowd = crowds.index(forKey: source) else { continue }
            crowds.values[crowd].count -= 1
            if !place.isProved { crowds.values[crowd].unproved.remove(number) }
            if crowds.values[crowd].count == 0 { crowds.remove(at: crowd) }
        }
        guard !place.isProved else { return }
        if place.isStranger { strangers.remove(number) } else { hopefuls.remove(number) }
    }

    /// Who goes first where the system has no room: taken out, to be closed. nil: all may stay.
    package mutating func makeRoom() -> UInt64? {
        guard let oldest = strangers.oldest ?? hopefuls.oldest else { return nil }
        leave(oldest)
        return oldest
    }

    private func isKnown(_ source: Source, at now: ContinuousClock.Instant) -> Bool {
        guard let last = known[source] else { return false }
        return now - last < Self.knownFor
    }
}

/// Connections in the order in which they came, as their numbers rise.
private struct Line: Sendable {
    private var numbers: [UInt64] = []

    var count: Int { numbers.count }
    var oldest: UInt64? { numbers.first }

    mutating func append(_ number: UInt64) { numbers.append(number) }

    mutating func remove(_ number: UInt64) {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        if low < numbers.count, numbers[low] == number { numbers.remove(at: low) }
    }
}
