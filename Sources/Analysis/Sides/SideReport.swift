import Base
import Capture

/// Compares the paired messages of two sources and says what stands between them.
struct SideReport {
    /// Pairs compared field by field; further ones are only told equal or not.
    static let mostCompared = 20_000
    static let mostShown = 200

    private(set) var comparison: SideComparison?
    private(set) var finding: Finding?

    private struct Compared {
        var inside: Int
        var outside: Int
        var difference: SideDifference
    }

    init(
        _ records: ContiguousArray<SideRecord>, _ pairing: SidePairing, first: UInt16, second: UInt16, firstAll: [Int],
        secondAll: [Int], spans: (first: ClosedRange<Int64>?, second: ClosedRange<Int64>?) = (nil, nil)
    ) {
        let (isSwapped, isProved) = Self.orientation(records, pairing)
        let insideFile = isSwapped ? second : first
        let outsideFile = isSwapped ? first : second
        var compared: [Compared] = []
        var score = BoxScore()
        var fields: [SideField: ChangedField] = [:]
        var present: [SideField: Int] = [:]
        var changed = 0
        var translation: (MediaPlace, MediaPlace)?
        var hasMoved = false
        var (same, touched): (Set<Int>, Set<Int>) = ([], [])
        var dialogs = Set<SideComparison.DialogPair>()
        var rewrites: [SideComparison.MediaRewrite] = []
        var cut = Set<SideComparison.DialogPair>()
        for pair in pairing.pairs {
            let (inside, outside) = isSwapped ? (pair.b, pair.a) : (pair.a, pair.b)
            let (a, b) = (records[inside], records[outside])
            if a.source != b.source || a.destination != b.destination { hasMoved = true }
            // Of what is there in part alone nothing tells whether the rest was changed.
            let isPartial = a.isCut || b.isCut
            let isSame = isPartial || a.whole == b.whole && a.length == b.length
            if !isSame { changed += 1 }
            for dialog in [a.dialog, b.dialog] where dialog >= 0 {
                if isSame { same.insert(Int(dialog)) } else { touched.insert(Int(dialog)) }
            }
            let dialogPair = SideComparison.DialogPair(inside: Int(a.dialog), outside: Int(b.dialog))
            if a.dialog >= 0, b.dialog >= 0, dialogs.count < Self.mostCompared { dialogs.insert(dialogPair) }
            if a.dialog >= 0, b.dialog >= 0, a.isCut != b.isCut, (a.destination == b.destination) == b.isCut {
                cut.insert(dialogPair)
            }
            guard !isPartial, !a.bytes.isEmpty, !b.bytes.isEmpty, compared.count < Self.mostCompared else { continue }
            let difference = SideDifference(inside: a, outside: b)
            if translation == nil, difference.path.old != difference.path.new {
                translation =
                    difference.path.isOutbound
                    ? (difference.path.old, difference.path.new) : (difference.path.new, difference.path.old)
            }
            compared.append(Compared(inside: inside, outside: outside, difference: difference))
            if let rewrite = Self.mediaRewrite(difference, a, b, dialogPair), rewrites.count < Self.mostCompared {
                rewrites.append(rewrite)
            }
            var names = Set<SideField>()
            for item in difference.before.items where names.insert(item.field).inserted { present[item.field, default: 0] += 1 }
            var told = Set<SideField>()
            for change in difference.changes where told.insert(change.field).inserted {
                fields[
                    change.field,
                    default: ChangedField(
                        field: change.field, count: 0, untouched: 0, inside: change.inside ?? "", outside: change.outside ?? "")
                ].count += 1
            }
        }
        // The same place seen twice.
        guard hasMoved || changed > 0 else { return }
        if changed > 0 {
            for one in compared where !one.difference.path.isAddressed { score.note(one.difference) }
        }
        for (field, value) in fields {
            var counted = value
            counted.untouched = max(0, present[field, default: 0] - value.count)
            fields[field] = counted
        }
        let accused = compared.filter {
            !$0.difference.changes.isEmpty && !$0.difference.path.isAddressed && !$0.difference.isProxyWork
        }
        let designed = compared.filter {
            !$0.difference.changes.isEmpty && ($0.difference.path.isAddressed || $0.difference.isProxyWork)
        }
        let fits = accused.isEmpty ? [] : score.fits
        let once = Self.seenAlone(records, pairing, firstAll, secondAll)
        let shown = (accused + designed).sorted { records[$0.inside].place < records[$1.inside].place }.prefix(Self.mostShown)
        comparison = SideComparison(
            inside: Vantage(insideFile), outside: Vantage(outsideFile), isInsideProved: isProved,
            clockOffset: .nanoseconds(isSwapped ? 0 &- pairing.offset : pairing.offset),
            clockDrift: (isSwapped ? -1 : 1) * pairing.drift / 1_000, matchedMessages: pairing.pairs.count,
            changedMessages: changed,
            insideOnly: isSwapped ? once.second : once.first, outsideOnly: isSwapped ? once.first : once.second,
            untouchedDialogs: same.subtracting(touched),
            box: !accused.isEmpty ? .helper : designed.isEmpty ? .transparent : .proxy,
            translatedTo: translation.map { Endpoint($0.1.address.address, $0.1.port) },
            fields: fields.values.sorted { ($1.count, $0.field) < ($0.count, $1.field) },
            messages: shown.map { Self.message(records, $0, pairing, isSwapped: isSwapped) }, fits: fits.map(\.fit),
            dialogs: dialogs.sorted { ($0.inside, $0.outside) < ($1.inside, $1.outside) }, mediaRewrites: rewrites)
        if comparison?.box != .proxy {
            let pairs = pairing.pairs.map { isSwapped ? (inside: $0.b, outside: $0.a) : (inside: $0.a, outside: $0.b) }
            let covered = Self.covered(records, pairing, firstAll, secondAll, spans)
            let covers = { (number: Int) -> Bool in
                guard let time = records[number].time, let covered else { return false }
                return covered.contains(records[number].file == first ? pairing.aligned(time) : time)
            }
            let (insideAll, outsideAll) = isSwapped ? (secondAll, firstAll) : (firstAll, secondAll)
            let losses = SideLosses(records, pairs, insideAll, outsideAll, covers: covers)
            comparison?.ownAnswers =
                OwnAnswers(records, pairs, insideAll, outsideAll, losses.worn, covers: covers).answers
            comparison?.lost = losses.lost
            comparison?.worn = losses.worn
            comparison?.contactRewrites = accused.compactMap {
                Self.contactRewrite($0.difference, records[$0.inside], records[$0.outside])
            }
            comparison?.arrivals = Self.arrivals(records, pairs)
            comparison?.roundTrip = Self.roundTrip(records, pairs, losses.worn)
            comparison?.isOuterAtServer = Self.answersAtOnce(records, outsideAll, losses.worn)
            comparison?.cut = cut.sorted { ($0.inside, $0.outside) < ($1.inside, $1.outside) }
            comparison?.unrestored = SideEchoes(records, pairs).unrestored
            for one in accused {
                let dialogs = SideComparison.DialogPair(
                    inside: Int(records[one.inside].dialog), outside: Int(records[one.outside].dialog))
                if (comparison?.blows.count ?? 0) < Self.mostCompared {
                    comparison?.blows += SideBlow.all(one.difference, records[one.inside], records[one.outside])
                }
                if let harm = one.difference.harm { comparison?.harms[dialogs, default: []].insert(harm) }
                if let route = one.difference.routeRewrite {
                    comparison?.routeRewrites.append(
                        SideComparison.ContactRewrite(dialogs: dialogs, written: route, place: records[one.inside].place))
                }
            }
        }
        if !accused.isEmpty {
            comparison?.blows += SideBlow.targets(
                compared.map { ($0.difference, records[$0.inside], records[$0.outside]) })
            finding = accuse(records, accused, fits, translation)
        } else if !designed.isEmpty {
            finding = explain(records, designed)
        }
    }

    /// Where audio was to go, if the box put another address in place of it.
    private static func mediaRewrite(
        _ difference: SideDifference, _ inside: SideRecord, _ outside: SideRecord, _ dialogs: SideComparison.DialogPair
    ) -> SideComparison.MediaRewrite? {
        guard let change = difference.changes.first(where: { $0.field == .sdpConnection }),
            let text = difference.path.isOutbound ? change.outside : change.inside,
            let word = text.split(separator: " ").last, let address = IPAddress(String(word))
        else { return nil }
        return SideComparison.MediaRewrite(
            dialogs: dialogs, isOutbound: difference.path.isOutbound, isOfCaller: inside.isRequest,
            address: PackedAddress(address),
            ports: Set(difference.after.items.filter { $0.field == .sdpMediaPort }.map(\.host.port)),
            place: difference.path.isOutbound ? outside.place : inside.place)
    }

    /// Whether the second source is the inside, and whether private addresses prove it.
    private static func orientation(_ records: ContiguousArray<SideRecord>, _ pairing: SidePairing) -> (
        isSwapped: Bool, isProved: Bool
    ) {
        var votes = 0
        for pair in pairing.pairs.prefix(20_000) {
            let (a, b) = (records[pair.a], records[pair.b])
            for (x, y) in [(a.source, b.source), (a.destination, b.destination)] where x.address != y.address {
                let (inA, inB) = (x.address.isPrivateNetwork, y.address.isPrivateNetwork)
                if inA != inB { votes += inA ? 1 : -1 }
            }
        }
        if votes != 0 { return (votes < 0, true) }
        // Both private, as between two routers in a row: what the phone calls itself is still in messages further out.
        for pair in pairing.pairs.prefix(2_000) {
            let (a, b) = (records[pair.a], records[pair.b])
            guard a.isRequest else { continue }
            for (x, y) in [(a.source, b.source), (a.destination, b.destination)] where x.address != y.address {
                let (isXInB, isYInA) = (names(b, x.address), names(a, y.address))
                if isXInB != isYInA { votes += isXInB ? 1 : -1 }
            }
        }
        if votes != 0 { return (votes < 0, true) }
        // No address was translated: private addresses in the messages themselves may tell.
        for pair in pairing.pairs.prefix(2_000) where records[pair.a].whole != records[pair.b].whole {
            let a = SideFields(records[pair.a].bytes).items.filter { $0.host.isPrivateAddress }.count
            let b = SideFields(records[pair.b].bytes).items.filter { $0.host.isPrivateAddress }.count
            votes += a > b ? 1 : a < b ? -1 : 0
        }
        return (votes < 0, votes != 0)
    }

    /// Whether a message has an address in its text.
    private static func names(_ record: SideRecord, _ address: PackedAddress) -> Bool {
        guard !address.isUnknown else { return false }
        let text = Array(address.description.utf8)
        return record.bytes.firstRange(of: text) != nil
    }

    /// Messages on one side alone, within the time that both captures cover.
    private static func seenAlone(
        _ records: ContiguousArray<SideRecord>, _ pairing: SidePairing, _ first: [Int], _ second: [Int]
    ) -> (first: Int, second: Int) {
        let inFirst = Set(pairing.pairs.map(\.a))
        let inSecond = Set(pairing.pairs.map(\.b))
        guard let range = covered(records, pairing, first, second) else { return (0, 0) }
        return (
            first.filter { !inFirst.contains($0) && records[$0].time.map { range.contains(pairing.aligned($0)) } ?? false }.count,
            second.filter { !inSecond.contains($0) && records[$0].time.map { range.contains($0) } ?? false }.count
        )
    }

    private static func message(
        _ records: ContiguousArray<SideRecord>, _ one: Compared, _ pairing: SidePairing, isSwapped: Bool
    ) -> ComparedMessage {
        let (a, b) = (records[one.inside], records[one.outside])
        let from = one.difference.path.isOutbound ? a : b
        let callID = MessageExcerpt.fields(a.bytes).first { $0.name == "Call-ID" }?.value ?? ""
        var delay: Duration?
        if let inside = a.time, let outside = b.time {
            let aligned = isSwapped ? inside &- pairing.aligned(outside) : outside &- pairing.aligned(inside)
            delay = .nanoseconds(one.difference.path.isOutbound != isSwapped ? aligned : 0 &- aligned)
        }
        return ComparedMessage(
            insidePlace: a.place, outsidePlace: b.place, firstLine: MessageExcerpt.firstLine(from.bytes), callID: callID,
            isOutbound: one.difference.path.isOutbound, delay: delay, changes: one.difference.changes)
    }

    // MARK: Findings

    private func accuse(
        _ records: ContiguousArray<SideRecord>, _ accused: [Compared], _ fits: [(profile: BoxProfile, fit: BoxFit)],
        _ translation: (MediaPlace, MediaPlace)?
    ) -> Finding? {
        guard let comparison, let first = accused.first else { return nil }
        let broken = accused.first { $0.difference.harm != nil }
        let names = comparison.fields.filter { $0.field != .layout }.map(\.field)
        let router =
            translation.map { "The router that translates \($0.0.address) to \($0.1.address)" }
            ?? "The box between the two captures"
        let crossed = accused.reduce(0) { $0 + $1.difference.changes.count }
        var summary =
            "\(router) rewrites SIP: \(accused.count) of "
            + "\(comparison.matchedMessages) messages left it with other bytes than they came with, in \(Self.list(names))."
        if let harm = broken?.difference.harm { summary += " It broke them: \(harm.text)." }
        var details: [String] = []
        if let best = fits.first {
            let fit = best.fit
            details.append(
                "It fits \(fit.box) in \(fit.explained) of \(fit.changes) rewritten fields"
                    + (fit.contradicted > 0
                        ? "; \(fit.contradicted) fields that this box would have rewritten were left alone." : ".")
                    + (fit.isProved ? "" : " What is known of that box is told, not read in its source."))
            let next = fits.dropFirst().prefix(2).map { "\($0.fit.box) \($0.fit.explained) of \($0.fit.changes)" }
            if !next.isEmpty { details.append("Next: \(next.joined(separator: ", ")).") }
        }
        details.append(
            "\(crossed) values were changed in all; the senders addressed the far end, not this box, so it is no proxy by design."
        )
        let offset = MediaJudge.tenth(Double(comparison.clockOffset.wholeNanoseconds) / 1e6)
        details.append(
            "Messages were matched by all their fields together; the outside's clock is \(offset) ms ahead"
                + (abs(comparison.clockDrift) >= 1 ? ", gaining \(MediaJudge.tenth(comparison.clockDrift)) ppm." : "."))
        if !comparison.isInsideProved {
            details.append("Which capture is the inside is not proved: no address is private on one side alone.")
        }
        let box = fits.first.flatMap { $0.fit.share >= 0.9 ? $0.profile : nil }
        var result = Finding(
            .algRewritten, broken == nil ? .risk : .fault, summary, details: details, culprit: .proved(boxName(translation)),
            confidence: .proved, remedies: Self.remedies(box), subject: subject(records, accused, translation), count: 1)
        result.evidence = Self.evidence(records, broken ?? first) + (accused.count > 1 ? Self.evidence(records, accused[1]) : [])
        result.count = max(1, Set(accused.map { records[$0.inside].dialog }).count)
        return result
    }

    private func explain(_ records: ContiguousArray<SideRecord>, _ designed: [Compared]) -> Finding? {
        guard let comparison, let first = designed.first else { return nil }
        let names = comparison.fields.filter { $0.field != .layout }.map(\.field)
        return Finding(
            .algRewritten, .note,
            "The two captures lie on both sides of a proxy or SBC: it changed \(designed.count) of \(comparison.matchedMessages) messages, "
                + "in \(Self.list(names)), as its work is.",
            details: [
                first.difference.path.isAddressed
                    ? "The sender addressed this box, so its changes are no interference."
                    : "Only Via, Record-Route, Route and Max-Forwards were touched, which every proxy does (RFC 3261 16.6)."
            ], evidence: Self.evidence(records, first), confidence: .proved, subject: subject(records, designed, nil))
    }

    private func boxName(_ translation: (MediaPlace, MediaPlace)?) -> String {
        translation.map { "the router with the outside address \($0.1.address)" } ?? "the box between the two captures"
    }

    private func subject(
        _ records: ContiguousArray<SideRecord>, _ compared: [Compared], _ translation: (MediaPlace, MediaPlace)?
    ) -> FindingSubject {
        var dialogs: [Int] = []
        var seen = Set<Int32>()
        for one in compared {
            for dialog in [records[one.inside].dialog, records[one.outside].dialog]
            where dialog >= 0 && seen.insert(dialog).inserted {
                dialogs.append(Int(dialog))
            }
        }
        let callID = compared.first.flatMap { one in
            MessageExcerpt.fields(records[one.inside].bytes).first { $0.name == "Call-ID" }?.value
        }
        let peer = compared.first.map { $0.difference.path.oldPeer }
        return FindingSubject(
            dialogs: dialogs, callID: callID, client: translation.map { Endpoint($0.0.address.address, $0.0.port) },
            server: peer.map { Endpoint($0.address.address, $0.port) })
    }

    private static func evidence(_ records: ContiguousArray<SideRecord>, _ one: Compared) -> [Evidence] {
        let isOutbound = one.difference.path.isOutbound
        func lines(_ inside: Bool) -> String {
            one.difference.changes.compactMap { change in
                (inside ? change.inside : change.outside).map { "\(change.field): \($0)" }
            }.joined(separator: "\n")
        }
        func side(_ record: SideRecord, inside: Bool) -> Evidence {
            Evidence(
                place: record.place, time: record.time.map { Instant(nanoseconds: $0) },
                source: record.source.address.isUnknown ? nil : Endpoint(record.source.address.address, record.source.port),
                destination: record.destination.address.isUnknown
                    ? nil : Endpoint(record.destination.address.address, record.destination.port),
                excerpt: MessageExcerpt.firstLine(record.bytes) + "\n" + lines(inside),
                says: inside == isOutbound ? "as it was sent" : "as it left the box")
        }
        let inside = side(records[one.inside], inside: true)
        let outside = side(records[one.outside], inside: false)
        return isOutbound ? [inside, outside] : [outside, inside]
    }

    private static func remedies(_ box: BoxProfile?) -> [Remedy] {
        let known = box?.device.flatMap { name in RouterDevice.all.first { $0.name == name } }?.remedy
        return [known ?? .disableALG, .encrypt]
    }

    private static func list(_ fields: [SideField]) -> String {
        let names = fields.prefix(6).map { "\($0)" }
        guard names.count > 1, let last = names.last else { return names.first ?? "their layout" }
        return names.dropLast().joined(separator: ", ") + (fields.count > 6 ? ", \(last) and more" : " and \(last)")
    }
}
