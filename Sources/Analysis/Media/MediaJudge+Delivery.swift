import Base
import Capture

extension MediaJudge {
    /// Where a stream goes that its listener neither asked for nor shows to be at.
    struct Stray {
        enum Kind {
            /// A place that nobody named and nobody sends from.
            case elsewhere
            /// The place the listener sent from before; its audio comes from another by now.
            case left
            /// As the SDP asks, but the listener is at another address, where all that it sends comes from.
            case wrongAddress
            /// The place the listener asked for before it asked for another, from which its audio comes since.
            case moved
        }

        var kind: Kind
        /// From when on, nanoseconds.
        var from: Int64
        /// Where the listener's own audio comes from.
        var instead: Endpoint
    }

    /// Fewer packets show no habit.
    static let fewestToFollow: UInt64 = 150

    /// When each end of a call was heard.
    var heardEnds: [CallEnd: [RTPStream.Activity]] {
        var ends: [CallEnd: [RTPStream.Activity]] = [:]
        for one in seen where one.isHeard && one.stream.statistics.totalReceived >= 10 {
            guard let call = one.call, let speaker = one.speaker else { continue }
            ends[CallEnd(dialog: media.calls[call].dialog, isCaller: speaker == .caller), default: []] += one.heardSpans
        }
        return ends
    }

    /// Ends that were sent audio at a public place, taken or not.
    var reachedEnds: Set<CallEnd> {
        var ends = Set<CallEnd>()
        for one in seen where !one.isMisdirected && !one.isLooped && !one.stream.key.destination.isPrivateNetwork {
            guard let call = one.call, let speaker = one.speaker, one.stream.statistics.totalReceived >= 10 else { continue }
            ends.insert(CallEnd(dialog: media.calls[call].dialog, isCaller: speaker == .callee))
        }
        return ends
    }

    /// Ends that were sent audio at a private place where they are not.
    var astrayEnds: Set<CallEnd> {
        Set(
            seen.compactMap { one in
                guard one.isMisdirected, let call = one.call, let speaker = one.speaker else { return nil }
                return CallEnd(dialog: media.calls[call].dialog, isCaller: speaker == .callee)
            })
    }

    /// Hosts that send to where audio comes from, whatever private place the SDP names.
    var latchingHosts: Set<FilePlace> {
        var hosts = Set<FilePlace>()
        for one in seen where one.isHeard && one.stream.statistics.totalReceived >= 10 {
            guard let number = one.call, let speaker = one.speaker,
                let told = media.calls[number].events.last(where: { $0.isFromCaller != (speaker == .caller) && $0.port > 0 }),
                told.address.isPrivateNetwork, !told.packetSource.isUnknown, !told.packetSource.isPrivateNetwork,
                one.stream.key.destination == told.packetSource
            else { continue }
            hosts.insert(FilePlace(file: one.stream.key.file, place: MediaPlace(one.stream.key.source, 0)))
        }
        return hosts
    }

    /// The far side of that end latches in other calls: the private address is not why this end hears nothing.
    func isOvercome(_ call: CallMedia, caller: Bool) -> Bool {
        call.events.contains { event in
            event.isFromCaller != caller
                && [event.address, event.packetSource].contains {
                    !$0.isUnknown && latching.contains(FilePlace(file: call.file, place: MediaPlace($0, 0)))
                }
        }
    }

    /// All such ends.
    var overcomeEnds: Set<CallEnd> {
        var ends = Set<CallEnd>()
        let silent = Set(stops.map { Reference(call: $0.call, isCaller: $0.quiet == .caller) })
        for stop in stops where !streams(of: stop.call, stop.leg).contains(where: { seen[$0].speaker == stop.quiet }) {
            if deafHub(stop.call, stop.leg, stop.quiet) ?? nothingToPassOn(stop.call, stop.leg, stop.quiet) != nil {
                ends.insert(CallEnd(dialog: media.calls[stop.call].dialog, isCaller: stop.quiet != .caller))
                continue
            }
            // A server that has nothing to pass on, or keeps what it hears to itself, sends nowhere.
            let isCaller = stop.quiet == .caller
            guard let other = relayed[Reference(call: stop.call, isCaller: isCaller)] else { continue }
            if notPassedOn(stop.call, stop.leg, stop.quiet) != nil || silent.contains(Reference(call: other, isCaller: isCaller))
            {
                ends.insert(CallEnd(dialog: media.calls[stop.call].dialog, isCaller: stop.quiet != .caller))
            }
        }
        for call in media.calls {
            for caller in [true, false] where isOvercome(call, caller: caller) {
                ends.insert(CallEnd(dialog: call.dialog, isCaller: caller))
            }
        }
        return ends
    }

    /// Sent from within to the NAT's outside address, as the sender itself gives it or others saw it, while nothing comes back in: the router
    /// does not turn such packets round (hairpinning, RFC 4787 6).
    func isLooped(_ index: Int) -> Bool {
        let key = seen[index].stream.key
        guard let call = seen[index].call, let speaker = seen[index].speaker, key.source.isPrivateNetwork,
            !key.destination.isPrivateNetwork
        else { return false }
        let said = media.calls[call].events.filter { $0.isFromCaller == (speaker == .caller) && $0.port > 0 }
        guard
            media.outsides.contains(key.destination, key.file)
                || !said.isEmpty && said.allSatisfy({ $0.address == key.destination })
        else { return false }
        let flow = flow(index)
        return !flows.contains { other, indices in
            other.file == flow.file
                && (other.destination == flow.source
                    || other.destination.address.isPrivateNetwork && other.destination.port == flow.destination.port)
                && indices.contains { overlaps($0, index) && seen[$0].stream.statistics.totalReceived >= 10 }
        }
    }

    /// Notes the ICMP errors that go on about a stream: to its end or through most of it, not only before the listener opened its port.
    mutating func refuse(_ index: Int) {
        let stream = seen[index].stream
        let found = (media.refusals[carrier(index)] ?? []).last { series in
            let from = series.record.time.nanoseconds
            return series.count >= 3 && series.last - from >= Self.patience && from <= stream.last + MediaAnalysis.refusalsEvery
                && series.last >= stream.first
                && (series.last >= stream.last - MediaAnalysis.refusalsEvery
                    || (series.last - from) * 2 > stream.last - stream.first)
        }
        guard let found else { return }
        let from = found.record.time.nanoseconds
        // A port that closes with the call refuses what is sent on.
        if let call = seen[index].call, media.calls[call].ended != CallMedia.unknown,
            from > media.calls[call].ended - Self.patience
        {
            return
        }
        let isWhole = (found.last - from) * 2 > stream.last - stream.first && from < stream.first + 2_000_000_000
        seen[index].refusal = found
        seen[index].refused = RTPStream.Activity(
            from: isWhole ? stream.first : from,
            to: isWhole || found.last >= stream.last - MediaAnalysis.refusalsEvery ? stream.last : found.last)
    }

    /// Nil where the listener named the place, or sends from it.
    func stray(_ index: Int) -> Stray? {
        let stream = seen[index].stream
        guard let call = seen[index].call, let speaker = seen[index].speaker, seen[index].isHeard, seen[index].refusal == nil,
            stream.statistics.totalReceived >= Self.fewestToFollow, !stream.flags.contains(.isVideo)
        else { return nil }
        let flow = flow(index)
        let target = flow.destination
        let said = media.calls[call].events.filter { $0.isFromCaller != (speaker == .caller) && $0.port > 0 }
        let own = (ofCall[call] ?? []).filter {
            seen[$0].speaker == other(speaker) && overlaps($0, index) && seen[$0].stream.statistics.totalReceived >= 50
        }
        guard !said.isEmpty, !own.isEmpty, !said.contains(where: { $0.flags.contains(.hasOther) }) else { return nil }
        let isNamed = places[FilePlace(file: flow.file, place: target)] != nil
        if let moved = moved(index, said, own) { return moved }
        if let back = lastFrom[FilePlace(file: flow.file, place: target)] {
            guard !isNamed, back < stream.last - MediaAnalysis.refusalsEvery,
                let moved = own.first(where: { self.flow($0).source != target && seen[$0].stream.last > back + Self.patience })
            else { return nil }
            return Stray(kind: .left, from: max(back, seen[moved].stream.first), instead: endpoint(moved))
        }
        if !isNamed {
            // A NAT that keeps ports, and a sender that sends from another port than it listens on, are where they say they are.
            let isAtPort = said.contains { $0.port == target.port }
            let isOwnHost = own.contains { seen[$0].stream.key.source == target.address }
            guard !(isAtPort && isOwnHost), seen[index].isSourceKnown || isOwnHost else { return nil }
            return Stray(kind: .elsewhere, from: stream.first, instead: endpoint(own[0]))
        }
        guard media.calls[call].candidates.isEmpty, let last = said.last, last.goal == target,
            !sendingHosts.contains(FilePlace(file: flow.file, place: MediaPlace(target.address, 0))),
            said.allSatisfy({ !$0.packetSource.isUnknown && $0.packetSource != target.address }),
            own.allSatisfy({ one in said.contains { $0.packetSource == seen[one].stream.key.source } }),
            let sure = own.first(where: { seen[$0].stream.key.sourcePort == target.port })
        else { return nil }
        // Within a network a host may have several addresses, and say in RTCP what arrives at another.
        if target.address.isPrivateNetwork {
            guard seen[sure].stream.key.source.isPrivateNetwork, flow.source.address.isPrivateNetwork, remote(stream) == nil
            else {
                return nil
            }
        }
        return Stray(kind: .wrongAddress, from: stream.first, instead: endpoint(sure))
    }

    /// The listener asked for another place in the meantime, and sends from it alone since; the stream goes on to the former.
    private func moved(_ index: Int, _ said: [MediaEvent], _ own: [Int]) -> Stray? {
        let stream = seen[index].stream
        let target = flow(index).destination
        guard let last = said.last, last.goal != target, let named = said.last(where: { $0.goal == target }),
            stream.last > last.time + MediaAnalysis.refusalsEvery,
            said.allSatisfy({ $0.time <= named.time || $0.goal != target }),
            lastFrom[FilePlace(file: stream.key.file, place: target)] ?? .min < last.time + 2_000_000_000,
            let now = own.first(where: { flow($0).source == last.goal && seen[$0].stream.last > last.time + Self.patience })
        else { return nil }
        // A leg of its own has a place of its own.
        guard named.leg == last.leg || said.allSatisfy({ $0.packetSource == last.packetSource || $0.time <= named.time }) else {
            return nil
        }
        return Stray(kind: .moved, from: max(last.time, seen[now].stream.first), instead: endpoint(now))
    }

    private func endpoint(_ index: Int) -> Endpoint {
        let key = seen[index].stream.key
        return Endpoint(key.source.address, key.sourcePort)
    }
}
