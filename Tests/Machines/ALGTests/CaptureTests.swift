import ALG
import Base
import Testing

/// The `linux` profile against the kernel's own helper: what went in on one side has to come out as it did on the other.
///
/// No field is exempt. The external ports are those the captures show; only the profile's own state decides the rest.
@Suite(
    "linux profile against captures of the kernel's helper",
    .enabled(if: !SharedCaptures.algOn.isEmpty, "needs the shared captures"))
struct CaptureTests {
    @Test("every payload leaves with the bytes and for the port the kernel gave it", arguments: SharedCaptures.algOn)
    func sameBytes(name: String) throws {
        let inside = try SharedCaptures.packets(name, "inside").filter(\.isSIP)
        let outside = try SharedCaptures.packets(name, "outside").filter(\.isSIP)
        var leaving = outside.filter { $0.source.address == routerAddress }[...]
        var arriving = outside.filter { $0.destination.address == routerAddress }[...]
        #expect(inside.count == outside.count)
        #expect(!inside.isEmpty)
        var gateway = ApplicationGateway(profile: .linux)
        var rewritten = 0
        for seen in inside {
            let other = seen.isInside ? leaving.popFirst() : arriving.popFirst()
            let far = try #require(other)
            // The inside endpoint of a flow is where it began, not where the helper sends responses.
            let flow = try #require(self.flow(seen, far, inside, outside))
            let verdict =
                seen.isInside
                ? gateway.process(seen.bytes, .outbound, on: flow, at: seen.at)
                : gateway.process(far.bytes, .inbound, on: flow, at: seen.at)
            guard case .pass(let passage) = verdict else {
                Issue.record("\(name): \(verdict)")
                continue
            }
            let expected = seen.isInside ? far.bytes : seen.bytes
            #expect(text(passage.bytes) == text(expected), "\(name)")
            #expect(passage.bytes == expected)
            if !seen.isInside { #expect(passage.destination ?? flow.inside == seen.destination) }
            if passage.bytes != (seen.isInside ? seen.bytes : far.bytes) { rewritten += 1 }
        }
        #expect(rewritten > 0)
    }

    private let routerAddress = IPAddress.v4(IPv4Address(203, 0, 113, 2))

    /// Ports are preserved in these captures, so the mapping of a response's flow is the request's with the same outside port.
    private func flow(
        _ seen: CapturedPayload, _ far: CapturedPayload, _ inside: [CapturedPayload], _ outside: [CapturedPayload]
    ) -> ALGFlow? {
        if seen.isInside {
            return ALGFlow(seen.transport, inside: seen.source, mapped: far.source, remote: seen.destination)
        }
        let began = zip(inside.filter(\.isInside), outside.filter { $0.source.address == routerAddress })
            .first { $0.1.source == far.destination && $0.1.destination == far.source }
        let mapped = far.destination
        return ALGFlow(seen.transport, inside: began?.0.source ?? seen.destination, mapped: mapped, remote: far.source)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
