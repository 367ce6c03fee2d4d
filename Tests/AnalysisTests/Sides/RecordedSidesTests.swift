import Analysis
import Base
import Capture
import Fixtures
import Testing

@Suite("Recordings of both sides of a Linux router")
struct RecordedSidesTests {
    private func sides(_ name: String) throws -> (findings: [Finding], sides: [SideComparison]) {
        var matching = SideMatching()
        let recording = try Recording(name)
        for (file, side) in [Recording.Side.inside, .outside].enumerated() {
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
            decoder.feed(recording.pcap(side), into: &batch)
            take()
            decoder.finish(&batch)
            take()
        }
        return matching.finish()
    }

    @Test("with the kernel's helper off nothing was rewritten", arguments: Recording.plain)
    func off(name: String) throws {
        let (findings, sides) = try sides(name)
        #expect(findings.isEmpty)
        #expect(sides.count == 1)
        #expect(sides.first?.box == .transparent)
        #expect((sides.first?.matchedMessages ?? 0) > 0)
        #expect(sides.first?.insideOnly == 0 && sides.first?.outsideOnly == 0)
    }

    @Test("with the kernel's helper on the rewriting is proved, and fits nf_nat_sip in every field", arguments: Recording.helped)
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
