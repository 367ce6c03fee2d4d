import Base
import Capture

/// Fax packets (UDPTL, T.38) between places that session descriptions named for them.
package struct FaxLedger: Sendable {
    /// What one place sent to another.
    struct Stream: Sendable {
        var packets = 0
        /// Nanoseconds.
        var first: Int64
        var last: Int64
        var firstFrame: UInt32
    }

    static let mostPlaces = 65_536
    static let mostStreams = 4_096

    private(set) var streams: [MediaFlow: Stream] = [:]
    private var places: Set<MediaPlace> = []

    var isEmpty: Bool { places.isEmpty }

    /// `source`: where the description came from; a cloud's address is another outside and keeps ports.
    mutating func expect(_ place: MediaPlace, from source: Endpoint?) {
        guard places.count < Self.mostPlaces else { return }
        places.insert(place)
        if let source { places.insert(MediaPlace(PackedAddress(source.address), place.port)) }
    }

    /// One datagram that looks like nothing else.
    package mutating func packet(_ record: PayloadRecord, file: UInt16) {
        let flow = MediaFlow(
            file: file, source: MediaPlace(record.source, record.sourcePort),
            destination: MediaPlace(record.destination, record.destinationPort))
        guard places.contains(flow.source) || places.contains(flow.destination) else { return }
        let now = record.time.nanoseconds
        guard streams[flow] != nil || streams.count < Self.mostStreams else { return }
        var stream = streams[flow] ?? Stream(first: now, last: now, firstFrame: UInt32(truncatingIfNeeded: record.frame))
        stream.packets += 1
        stream.last = max(now, stream.last)
        streams[flow] = stream
    }
}
