import Analysis
import Base
import Capture
import Foundation
import Testing

/// Real captures of both sides of a router, where they lie beside the project.
private let captures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "../../../../shared/captures"
).standardizedFileURL

private func names(_ part: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: captures.path)) ?? []
    return files.filter { $0.hasSuffix(".inside.pcap") && $0.contains(part) }.map { String($0.dropLast(12)) }.sorted()
}

@Suite("Real captures of both sides of a Linux router", .enabled(if: !names("alg-").isEmpty, "needs ../shared/captures"))
struct RealSidesTests {
    private func sides(_ name: String) throws -> (findings: [Finding], sides: [SideComparison]) {
        var matching = SideMatching()
        for (file, side) in ["inside", "outside"].enumerated() {
            let data = try Data(contentsOf: captures.appendingPathComponent("\(name).\(side).pcap"))
            var decoder = CaptureDecoder(file: file)
            var batch = PayloadBatch()
            func take() {
                for record in batch.records where record.content == .sip {
                    matching.message(
                        SideMessage(
                            place: .frame(file: file, number: Int(record.frame)), time: record.time,
                            source: record.sourceEndpoint,
                            destination: record.destinationEndpoint, isStream: record.transport != .udp,
                            bytes: batch.bytes(of: record)))
                }
            }
            decoder.feed(Array(data), into: &batch)
            take()
            decoder.finish(&batch)
            take()
        }
        return matching.finish()
    }

    @Test("with the kernel's helper off nothing was rewritten", arguments: names("alg-off"))
    func off(name: String) throws {
        let (findings, sides) = try sides(name)
        #expect(findings.isEmpty)
        #expect(sides.count == 1)
        #expect(sides.first?.box == .transparent)
        #expect((sides.first?.matchedMessages ?? 0) > 0)
        #expect(sides.first?.insideOnly == 0 && sides.first?.outsideOnly == 0)
    }

    @Test("with the kernel's helper on the rewriting is proved, and fits nf_nat_sip in every field", arguments: names("alg-on"))
    func on(name: String) throws {
        let (findings, sides) = try sides(name)
        #expect(findings.map(\.name) == [.algRewritten])
        #expect(findings.first?.confidence == .proved)
        let best = try #require(sides.first?.fits.first)
        #expect(best.box == "Linux nf_nat_sip")
        #expect(best.explained == best.changes)
        #expect(sides.first?.inside.index == 0)
        #expect(sides.first?.isInsideProved == true)
    }
}
