import Base
import Codecs
import Testing

@Suite struct WAVFileTests {
    private let samples: [Int16] = [0, 1, -1, 32_767, -32_768, 12_345, -12_345]

    @Test("A file of 16 bits is read as it was written", arguments: [8_000, 16_000, 44_100, 48_000], [1, 2])
    func roundTrip(rate: Int, channels: Int) throws {
        let file = WAVFile(sampleRate: rate, channels: channels, samples: samples + [7])
        #expect(try WAVFile(parsing: file.bytes) == file)
    }

    @Test("The header's every field is where RIFF puts it")
    func header() {
        let bytes = WAVFile(sampleRate: 8_000, samples: [1, -2]).bytes
        let expected: [UInt8] =
            Array("RIFF".utf8) + [40, 0, 0, 0] + Array("WAVEfmt ".utf8) + [16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0]
            + [0x80, 0x3e, 0, 0, 2, 0, 16, 0] + Array("data".utf8) + [4, 0, 0, 0, 1, 0, 0xfe, 0xff]
        #expect(bytes == expected)
    }

    @Test("Eight bits lose the lower eight; the laws lose what G.711 loses; odd lengths are padded")
    func narrow() throws {
        let eight = try WAVFile(parsing: WAVFile(sampleRate: 8_000, encoding: .pcm8, samples: samples).bytes)
        #expect(eight.samples == samples.map { ($0 >> 8) << 8 })
        for (encoding, law) in [(WAVFile.Encoding.aLaw, G711.aLaw), (.muLaw, .muLaw)] {
            let bytes = WAVFile(sampleRate: 8_000, encoding: encoding, samples: samples).bytes
            #expect(bytes.count % 2 == 0)
            #expect(try WAVFile(parsing: bytes).samples == samples.map { law.decode(law.encode($0)) })
        }
    }

    @Test("Unknown chunks are skipped, odd ones with their padding; WAVE_FORMAT_EXTENSIBLE is what its sub-format says")
    func chunks() throws {
        var bytes = WAVFile(sampleRate: 8_000, samples: samples).bytes
        bytes.insert(contentsOf: Array("LIST".utf8) + [3, 0, 0, 0, 1, 2, 3, 0], at: 12)
        #expect(try WAVFile(parsing: bytes).samples == samples)
        var format: [UInt8] = [0xfe, 0xff, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0, 22, 0, 16, 0, 4, 0, 0, 0, 1, 0]
        format += [UInt8](repeating: 0, count: 14)
        let extensible =
            Array("RIFF".utf8) + [0, 0, 0, 0] + Array("WAVEfmt ".utf8) + [40, 0, 0, 0] + format + Array("data".utf8)
            + [2, 0, 0, 0, 5, 0]
        #expect(try WAVFile(parsing: extensible).samples == [5])
    }

    @Test(
        "A recording cut off extends to the end of the file, whatever length it claims", arguments: [0, 0xffff_ffff, 1_000_000])
    func unfinished(claimed: Int) throws {
        let header = WAVFile.header(sampleRate: 8_000, dataLength: claimed)
        #expect(try WAVFile(parsing: header + WAVFile.octets(of: samples)).samples == samples)
        #expect(try WAVFile(parsing: header + WAVFile.octets(of: samples) + [9]).samples == samples)
    }

    @Test("What is not a playable file is refused with the reason and the place")
    func refusals() {
        let good = WAVFile(sampleRate: 8_000, samples: samples).bytes
        func reason(_ edit: (inout [UInt8]) -> Void) -> WAVError? {
            var bytes = good
            edit(&bytes)
            do {
                _ = try WAVFile(parsing: bytes)
                return nil
            } catch { return error }
        }
        #expect(reason { $0 = [] } == WAVError(reason: .notRIFF, offset: 0))
        #expect(reason { $0[8] = 0x41 } == WAVError(reason: .notRIFF, offset: 0))
        #expect(reason { $0[20] = 3 } == WAVError(reason: .unsupported(tag: 3, bits: 16), offset: 20))
        #expect(reason { $0[34] = 24 } == WAVError(reason: .unsupported(tag: 1, bits: 24), offset: 20))
        #expect(reason { $0[22] = 3 } == WAVError(reason: .channels(3), offset: 22))
        #expect(reason { $0[22] = 0 } == WAVError(reason: .channels(0), offset: 22))
        #expect(reason { $0.replaceSubrange(24..<28, with: [0, 0, 0, 0]) } == WAVError(reason: .sampleRate(0), offset: 24))
        #expect(reason { $0[16] = 15 } == WAVError(reason: .formatTooShort, offset: 12))
        #expect(reason { $0[36] = 0x44 } == WAVError(reason: .noData, offset: good.count))
        #expect(reason { $0.removeSubrange(12..<36) } == WAVError(reason: .noFormat, offset: 12))
        #expect(reason { $0 = Array($0[..<12]) } == WAVError(reason: .noFormat, offset: 12))
    }

    @Test("No bytes whatever trap: every prefix, and ten thousand corruptions")
    func hostile() {
        let good = WAVFile(sampleRate: 8_000, channels: 2, encoding: .aLaw, samples: samples).bytes
        for length in 0...good.count { _ = try? WAVFile(parsing: Array(good[..<length])) }
        var entropy = Entropy(labSeed: 5)
        var parsed = 0
        for _ in 0..<10_000 {
            var bytes = good
            for _ in 0..<3 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
            if let file = try? WAVFile(parsing: bytes) {
                parsed += 1
                _ = file.mono(at: 8_000).count
            }
        }
        #expect(parsed > 100 && parsed < 10_000)
    }

    @Test("Two channels become their mean, at the rate asked for")
    func mono() {
        #expect(WAVFile(sampleRate: 8_000, channels: 2, samples: [10, 20, -30, -31, 5]).mono(at: 8_000) == [15, -30])
        #expect(WAVFile(sampleRate: 8_000, samples: [Int16](repeating: 0, count: 800)).mono(at: 48_000).count == 4_800)
    }
}
