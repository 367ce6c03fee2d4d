import Base
import SIP
import SIPStack
import Testing

/// A layer with what came out of it, in words.
struct LayerBench {
    var layer: TransactionLayer
    var now = Instant(seconds: 1_000)
    let flow = FlowID(
        .udp, local: Endpoint(.v4(.init(192, 0, 2, 1)), 5060), remote: Endpoint(.v4(.init(198, 51, 100, 7)), 52_899))
    var ids: [ServerTransactionID] = []
    var clientIDs: [ClientTransactionID] = []
    var sent: [(flow: FlowID, bytes: [UInt8])] = []

    init(_ settings: TransactionLayer.Settings = .init()) {
        var entropy = Entropy(labSeed: 1)
        layer = TransactionLayer(settings: settings, entropy: &entropy)
    }

    static func request(
        _ method: String, branch: String = "z9hG4bKa", sentBy: String = "10.0.0.2:5060", via extra: String = "",
        uri: String = "sip:b@x",
        callID: String = "c1", cseq: Int = 1, tag: String = "f1", toTag: String? = nil, extra lines: String = ""
    ) throws -> SIPMessage {
        let cseqMethod = method
        return try SIPMessage(
            parsing: Array(
                """
                \(method) \(uri) SIP/2.0\r
                Via: SIP/2.0/UDP \(sentBy);branch=\(branch)\(extra)\r
                From: <sip:a@x>;tag=\(tag)\r
                To: <sip:b@x>\(toTag.map { ";tag=\($0)" } ?? "")\r
                Call-ID: \(callID)\r
                CSeq: \(cseq) \(cseqMethod)\r
                \(lines)Content-Length: 0\r
                \r

                """.utf8))
    }

    static func response(_ status: Int, to request: SIPMessage, toTag: SIPText? = "t1") throws -> SIPMessage {
        try SIPMessageBuilder.response(to: request, status: status, toTag: status == 100 ? nil : toTag).message()
    }

    mutating func receive(_ message: SIPMessage, over other: FlowID? = nil) -> [String] {
        layer.receive(.received(message, other ?? flow), at: now)
        return drain()
    }

    mutating func respond(_ id: ServerTransactionID, _ status: Int, _ request: SIPMessage) throws -> [String] {
        layer.receive(.respond(id, status: status, try Self.response(status, to: request).bytes), at: now)
        return drain()
    }

    mutating func advance(_ milliseconds: Int64) -> [String] {
        now += .milliseconds(milliseconds)
        layer.advance(to: now)
        return drain()
    }

    mutating func drain() -> [String] {
        var words: [String] = []
        while let output = layer.nextOutput() {
            switch output {
            case .send(let flow, let bytes):
                sent.append((flow, bytes))
                words.append(
                    "send "
                        + String(decoding: bytes.prefix { $0 != 13 }, as: UTF8.self).replacing(" SIP/2.0", with: "").replacing(
                            "SIP/2.0 ", with: ""))
            case .request(let id, let message, _):
                ids.append(id)
                words.append("request \(message.method?.description ?? "?")")
            case .cancel(let id, let target, _, _):
                ids.append(id)
                words.append("cancel \(target.flatMap { ids.firstIndex(of: $0) }.map(String.init) ?? "nothing")")
            case .ack(_, _, let target): words.append("ack \(target == nil ? "stray" : "known")")
            case .response(let id, let message, _):
                clientIDs.append(id)
                words.append("response \(message.statusCode ?? 0)")
            case .strayResponse(let message, _): words.append("stray \(message.statusCode ?? 0)")
            case .timeout: words.append("timeout")
            case .transportError: words.append("transport error")
            case .unacknowledged: words.append("unacknowledged")
            case .responseUndeliverable: words.append("undeliverable")
            case .started: words.append("started")
            case .refused(_, let why): words.append("refused \(why)")
            }
        }
        return words
    }
}

/// `#expect` for the words of a bench, which are made by mutating and throwing calls.
func expectWords(_ found: [String], _ wanted: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(found == wanted, sourceLocation: sourceLocation)
}
