import ALG
import Base
import Fixtures
import Testing

/// The `linux` profile against the kernel's own helper: what went in on one side has to come out as it did on the other.
///
/// No field is exempt. The external ports are those the recordings show; only the profile's own state decides the rest.
@Suite("linux profile against recordings of the kernel's helper")
struct CaptureTests {
    @Test("every payload leaves with the bytes and for the port the kernel gave it", arguments: Recording.helped)
    func sameBytes(name: String) throws {
        let recording = try Recording(name)
        let inside = try recording.messages(.inside)
        let outside = try recording.messages(.outside)
        var leaving = outside.filter { $0.source.address == Recording.router }[...]
        var arriving = outside.filter { $0.destination.address == Recording.router }[...]
        #expect(inside.count == outside.count)
        #expect(!inside.isEmpty)
        var gateway = ApplicationGateway(profile: .linux)
        var rewritten = 0
        for seen in inside {
            let isLeaving = seen.isLeaving
            let other = isLeaving ? leaving.popFirst() : arriving.popFirst()
            let far = try #require(other)
            // The inside endpoint of a flow is where it began, not where the helper sends responses.
            let flow = try #require(self.flow(seen, far, inside, outside))
            let verdict =
                isLeaving
                ? gateway.process(seen.bytes, .outbound, on: flow, at: seen.at)
                : gateway.process(far.bytes, .inbound, on: flow, at: seen.at)
            guard case .pass(let passage) = verdict else {
                Issue.record("\(name): \(verdict)")
                continue
            }
            let expected = isLeaving ? far.bytes : seen.bytes
            #expect(text(passage.bytes) == text(expected), "\(name)")
            #expect(passage.bytes == expected)
            if !isLeaving { #expect(passage.destination ?? flow.inside == seen.destination) }
            if passage.bytes != (isLeaving ? seen.bytes : far.bytes) { rewritten += 1 }
        }
        #expect(rewritten > 0)
    }

    /// Ports are preserved in these recordings, so the mapping of a response's flow is the request's with the same outside port.
    private func flow(
        _ seen: Recording.Message, _ far: Recording.Message, _ inside: [Recording.Message], _ outside: [Recording.Message]
    ) -> ALGFlow? {
        if seen.isLeaving {
            return ALGFlow(seen.isStream ? .tcp : .udp, inside: seen.source, mapped: far.source, remote: seen.destination)
        }
        let began = zip(inside.filter(\.isLeaving), outside.filter { $0.source.address == Recording.router })
            .first { $0.1.source == far.destination && $0.1.destination == far.source }
        let mapped = far.destination
        return ALGFlow(
            seen.isStream ? .tcp : .udp, inside: began?.0.source ?? seen.destination, mapped: mapped, remote: far.source)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension Recording.Message {
    /// Seen on the inside: from the phone.
    fileprivate var isLeaving: Bool { source.address == Recording.phone }
}
