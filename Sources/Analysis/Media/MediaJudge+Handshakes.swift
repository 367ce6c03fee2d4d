import Base
import Capture

/// dtls.never-completed, and srtp.mismatch as certificates show it.
extension MediaJudge {
    /// ClientHellos before one may say that nobody answers: some are sent again within 50 ms, and few losses are no verdict.
    static let mostHellos = 4

    /// What the two descriptions of each call agreed on, and how far a handshake got.
    mutating func judgeProtection() {
        protections.reserveCapacity(media.calls.count)
        for call in media.calls {
            guard let leg = call.legs.first, let a = call.said(leg, caller: true), let b = call.said(leg, caller: false),
                a.flags.contains(.hasAudio), b.flags.contains(.hasAudio)
            else { continue }
            protections[call.dialog] = MediaProtection(a.security, b.security, areKeysReadable: a.isReadable || b.isReadable)
        }
        for handshake in media.handshakes.handshakes {
            guard let number = number(of: handshake) else { continue }
            handshakes[number, default: []].append(handshake)
            let state: MediaProtection.Handshake =
                handshake.isCompleted
                ? .completed : handshake.alert != nil ? .refused : handshake.isAnswered ? .incomplete : .unanswered
            let dialog = media.calls[number].dialog
            if protections[dialog]?.handshake != .completed { protections[dialog]?.handshake = state }
        }
    }

    /// The call that named one of its ends.
    private func number(of handshake: DTLSLedger.Handshake) -> Int? {
        reference(to: handshake.flow.destination, handshake)?.call ?? reference(to: handshake.flow.source, handshake)?.call
    }

    /// The newest call that named a place and was on when the handshake began.
    private func reference(to place: MediaPlace, _ handshake: DTLSLedger.Handshake) -> Reference? {
        (places[FilePlace(file: handshake.flow.file, place: place)] ?? []).filter {
            let call = media.calls[$0.call]
            return call.began <= handshake.first + 2_000_000_000
                && (call.ended == CallMedia.unknown || handshake.first <= call.ended)
        }.max { media.calls[$0.call].began < media.calls[$1.call].began }
    }

    mutating func judgeHandshakes() {
        for (number, list) in handshakes.sorted(by: { $0.key < $1.key }) {
            let call = media.calls[number]
            if let (handshake, place, speaker) = stranger(list, call) { tell(handshake, place, speaker, number) }
            guard call.answered != CallMedia.unknown, !list.contains(where: \.isCompleted), !isHeardBothWays(number),
                let failed = list.first(where: { hasFailed($0, call) })
            else { continue }
            failedHandshakes.insert(number)
            tell(failed, call)
        }
    }

    private func hasFailed(_ handshake: DTLSLedger.Handshake, _ call: CallMedia) -> Bool {
        if let alert = handshake.alert {
            // One at the end of the call is its end.
            return call.ended == CallMedia.unknown || alert.time < call.ended
        }
        // Only one direction of it is seen, and that one went on.
        if !handshake.isAnswered, handshake.client.isProtected { return false }
        return handshake.hellos >= Self.mostHellos && handshake.last - max(handshake.first, call.answered) >= Self.patience
    }

    /// SRTP goes both ways all the same: the capture lacks a part of the handshake.
    private func isHeardBothWays(_ number: Int) -> Bool {
        let heard = (ofCall[number] ?? []).filter { seen[$0].stream.statistics.totalReceived >= 10 }
        return Set(heard.compactMap { seen[$0].speaker }).count == 2
    }

    /// A certificate that is not the one its end named; any end's will do, as one that passes a description on is no end.
    private func stranger(
        _ list: [DTLSLedger.Handshake], _ call: CallMedia
    ) -> (DTLSLedger.Handshake, MediaPlace, StreamSummary.Speaker)? {
        guard let hash else { return nil }
        for handshake in list {
            for (end, place) in [(handshake.client, handshake.flow.source), (handshake.server, handshake.flow.destination)]
            where !end.certificate.isEmpty {
                let named = places[FilePlace(file: handshake.flow.file, place: place)] ?? []
                guard let own = reference(to: place, handshake), media.calls[own.call].dialog == call.dialog else { continue }
                let all = named.flatMap { media.calls[$0.call].events }.flatMap(\.security.fingerprints)
                let known = all.filter { $0.isReadable && ($0.hash == "sha-256" || $0.hash == "md5") }
                let isTold = call.events.contains { $0.isFromCaller == own.isCaller && $0.security.hasFingerprint }
                guard isTold, known.count == all.count,
                    !known.contains(where: { $0.digest == hash($0.hash == "md5" ? .md5 : .sha256, end.certificate) })
                else { continue }
                return (handshake, place, own.isCaller ? .caller : .callee)
            }
        }
        return nil
    }

    // MARK: In words

    private mutating func tell(
        _ handshake: DTLSLedger.Handshake, _ place: MediaPlace, _ speaker: StreamSummary.Speaker, _ number: Int
    ) {
        let call = media.calls[number]
        let isHeard = isHeardBothWays(number)
        let leg = call.legs.first ?? 0
        var finding = Finding(
            .srtpMismatch, isHeard ? .note : .fault,
            "The certificate that \(Endpoint(place.address.address, place.port)) shows in the DTLS handshake is not the one that "
                + "\(named(call, leg, speaker)) names by a=fingerprint\(isHeard ? "; packets go both ways all the same." : ": the other end has to refuse it.")",
            evidence: [hello(handshake)], confidence: .proved,
            remedies: [
                Remedy(
                    .server,
                    "Let the end that speaks DTLS and the one that writes the description use one certificate: look for a box between that "
                        + "ends DTLS and passes a=fingerprint on, and for a certificate that was renewed without a restart.")
            ], subject: subject(call, leg))
        if let event = call.said(leg, caller: speaker == .caller) {
            finding.evidence.append(evidence(event, "what \(name(speaker)) says"))
        }
        if !isHeard { failedHandshakes.insert(number) }
        findings.append(finding)
    }

    private mutating func tell(_ handshake: DTLSLedger.Handshake, _ call: CallMedia) {
        let (client, server) = (handshake.flow.source.endpoint, handshake.flow.destination.endpoint)
        let leg = call.legs.first ?? 0
        var finding = Finding(
            .dtlsNeverCompleted, .fault, "", evidence: [hello(handshake)], confidence: .likely, subject: subject(call, leg))
        if let alert = handshake.alert {
            let name = TLSAlert(alert.code).name
            let (who, whom) = alert.isOfClient ? (client, server) : (server, client)
            finding.summary =
                "The DTLS handshake for the call's media was refused by \(who) with the alert \(name): there are no keys, and no audio."
            finding.confidence = .proved
            finding.evidence.append(
                Evidence(
                    place: alert.place, time: Instant(nanoseconds: alert.time), source: who, destination: whom,
                    excerpt: "DTLS alert \(name)", says: "refused"))
            finding.remedies = [
                Remedy(
                    .server,
                    "Compare the certificate that is shown with a=fingerprint, and the DTLS versions, ciphers and SRTP profiles of both ends."
                )
            ]
        } else {
            let hellos = "\(handshake.hellos) times in \(spoken(handshake.last - handshake.first))"
            finding.summary =
                handshake.isAnswered
                ? "The DTLS handshake for the call's media never completed: \(client) began it \(hellos), and the answers of \(server) led to nothing."
                : "The DTLS handshake for the call's media never completed: \(client) began it \(hellos), and \(server) never answered."
            if handshake.isAnswered {
                finding.details = [
                    "An answer with its certificate is large: fragments of it that are lost on the way each time look like this."
                ]
                finding.remedies = [
                    Remedy(.network, "Look for a firewall or a tunnel between the two that drops large UDP packets."),
                    Remedy(.server, "Use a small certificate (an elliptic curve, no chain), or a smaller MTU for DTLS."),
                ]
            } else {
                finding.remedies = [
                    Remedy(.network, "See that UDP from \(client) reaches \(server): firewall, port forwarding, ICE's choice."),
                    Remedy(.server, "See that \(server) is set up for DTLS-SRTP, with a certificate and key that it can read."),
                ]
            }
        }
        for caller in [true, false] {
            if let event = call.said(leg, caller: caller) {
                finding.evidence.append(evidence(event, "what \(name(caller ? .caller : .callee)) agreed to"))
            }
        }
        findings.append(finding)
    }

    private func hello(_ handshake: DTLSLedger.Handshake) -> Evidence {
        Evidence(
            place: handshake.place, time: Instant(nanoseconds: handshake.first), source: handshake.flow.source.endpoint,
            destination: handshake.flow.destination.endpoint, excerpt: "DTLS ClientHello", says: "the handshake begins")
    }
}

extension DTLSLedger.Handshake {
    fileprivate var isAnswered: Bool { server.messages > 0 || server.isProtected }
}

extension MediaPlace {
    fileprivate var endpoint: Endpoint { Endpoint(address.address, port) }
}
