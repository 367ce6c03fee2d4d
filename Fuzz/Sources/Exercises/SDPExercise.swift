import Base
import RTP
import SDP

/// Reads `bytes` as a description, calls every typed view, answers it as an offer and passes it on, for fuzzers: it must not trap,
/// and what is accepted must print as it came.
@discardableResult
package func exerciseSDPParser(_ bytes: [UInt8]) -> Int {
    guard let description = try? SessionDescription(parsing: bytes) else { return 0 }
    precondition(description.bytes == bytes)
    _ = (description.origin?.next.description, description.name, description.connection?.description, description.groups)
    _ = (description.addresses.count, description.isICELite, description.session.attributes.map(\.text), description.flaws)
    for index in description.media.indices {
        let stream = description.media[index]
        _ = (description.remoteStream(index).isHeld, stream.remoteCandidates, stream.codecNames, stream.setup, stream.rtcp?.text)
        _ = (stream.crypto.map(\.text), stream.candidates.map(\.attributeValue), stream.line.text, stream.hasICEMismatch)
    }
    var entropy = Entropy(labSeed: 1)
    let address = IPAddress.v4(IPv4Address(192, 0, 2, 1))
    let origin = SDPOrigin(session: 1, address: address)
    let local = LocalStream(
        rtp: Endpoint(address, 40_000), formats: [.pcmu, .opus, .telephoneEvent], encryption: .possible,
        ice: SDPICE(ufrag: "abcd", password: "0123456789abcdef012345", isLite: true))
    var outcome = 0
    if let answer = try? MediaNegotiation.answer(to: description, origin: origin, streams: [local], entropy: &entropy) {
        precondition(answer.description.media.count == description.media.count)
        precondition((try? SessionDescription(parsing: answer.description.bytes)) != nil, "our answer does not parse")
        outcome += 1
    }
    let offer = MediaNegotiation.offer(origin: origin, streams: [local], entropy: &entropy)
    if (try? MediaNegotiation.read(answer: description, to: offer, streams: [local])) != nil { outcome += 1 }
    let relayed = description.relayed(
        origin: origin, streams: [RelayedStream(rtp: Endpoint(address, 40_000), rtcp: .port(9), payloadTypes: [0, 8, 101])])
    precondition((try? SessionDescription(parsing: relayed.bytes)) != nil, "what is passed on does not parse")
    return outcome
}
