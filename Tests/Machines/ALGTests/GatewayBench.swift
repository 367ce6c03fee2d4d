import ALG
import Base

/// A gateway on one flow, fed with texts.
struct GatewayBench {
    var gateway: ApplicationGateway
    var flow = ALGFlow(
        .udp, inside: Endpoint("192.168.1.100:5060")!, mapped: Endpoint("203.0.113.2:5060")!,
        remote: Endpoint("203.0.113.20:5060")!)
    var now = Instant(seconds: 100)
    var taken: Set<Endpoint> = []

    init(_ profile: ALGProfile = .linux) { gateway = ApplicationGateway(profile: profile) }

    mutating func verdict(_ text: String, _ direction: ALGDirection = .outbound) -> ALGVerdict {
        gateway.advance(to: now)
        let taken = taken
        return gateway.process(Array(text.utf8), direction, on: flow, at: now) { _, external, _ in taken.contains(external) }
    }

    /// The text that goes on; nil: dropped.
    mutating func pass(_ text: String, _ direction: ALGDirection = .outbound) -> String? {
        switch verdict(text, direction) {
        case .pass(let passage), .hold(let passage, _): String(decoding: passage.bytes, as: UTF8.self)
        case .drop: nil
        }
    }

    mutating func requests() -> [ALGRequest] {
        var all: [ALGRequest] = []
        while let request = gateway.nextRequest() { all.append(request) }
        return all
    }

    mutating func traces() -> [ALGTrace] {
        var all: [ALGTrace] = []
        while let trace = gateway.nextTrace() { all.append(trace) }
        return all
    }
}

func lines(_ lines: String...) -> String { lines.map { $0 + "\r\n" }.joined() }

/// A request or response with a session description, its length right.
func message(_ head: [String], _ body: [String] = []) -> String {
    let text = body.map { $0 + "\r\n" }.joined()
    return (head + ["Content-Length: \(text.utf8.count)", ""]).map { $0 + "\r\n" }.joined() + text
}
