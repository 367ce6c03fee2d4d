import Base
import Capture

/// Answers that a box gives in a server's name: neither the request nor the answer is seen beyond it.
struct OwnAnswers {
    struct Answer: Hashable, Sendable {
        var dialog: Int
        var method: MessageMethod
        var status: UInt16
        /// Request and answer, both inside.
        var request: EvidencePlace
        var place: EvidencePlace
        var time: Int64?
        var server: MediaPlace
        /// How soon it came, and how soon the server's own answers come at best; nil where none is seen.
        var delay: Int64
        var usual: Int64?
        var firstLine: String
    }

    static let most = 10_000

    private(set) var answers: [Answer] = []

    /// `covers`: whether both were captured at the time of a record.
    init(
        _ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)], _ inside: [Int], _ outside: [Int],
        _ worn: SideLosses.Worn, covers: (Int) -> Bool
    ) {
        guard worn.crossesOut, worn.crossesIn else { return }
        let paired = Set(pairs.map(\.inside))
        var beyond = Set<UInt64>()
        for number in outside { SidePairing.forEachKey(records[number]) { beyond.insert($0) } }
        var asked: [SideRecord.Transaction: Int] = [:]
        var usual: Int64?
        var found: [(request: Int, answer: Int, delay: Int64)] = []
        var proved = 0
        for number in inside {
            let record = records[number]
            if record.isRequest {
                if worn.peers.contains(record.destination.address), asked[record.transaction] == nil {
                    asked[record.transaction] = number
                }
                continue
            }
            guard let request = asked[record.transaction], records[request].source == record.destination,
                records[request].destination == record.source, let sent = records[request].time, let came = record.time,
                came >= sent
            else { continue }
            if paired.contains(number) {
                if paired.contains(request) { usual = min(usual ?? .max, came - sent) }
            } else if record.status >= 200, !paired.contains(request) {
                found.append((request, number, came - sent))
            }
        }
        for one in found where answers.count < Self.most {
            let (request, answer) = (records[one.request], records[one.answer])
            var isBeyond = false
            for record in [request, answer] { SidePairing.forEachKey(record) { if beyond.contains($0) { isBeyond = true } } }
            // Sooner than the way there and back takes, or of a phone whose other messages cross.
            let isTooSoon = usual.map { one.delay < $0 / 2 } ?? false
            let isCovered = covers(one.request) && covers(one.answer)
            guard !isBeyond, answer.dialog >= 0, isTooSoon || isCovered && worn.inside.contains(request.source) else { continue }
            if isCovered { proved += 1 }
            answers.append(
                Answer(
                    dialog: Int(answer.dialog), method: answer.method, status: answer.status, request: request.place,
                    place: answer.place,
                    time: answer.time, server: answer.source, delay: one.delay, usual: isTooSoon ? usual : nil,
                    firstLine: MessageExcerpt.firstLine(answer.bytes)))
        }
        // One of them might be lost by the capture.
        if proved < 2 { answers = [] }
    }
}
