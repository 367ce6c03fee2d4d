import AudioCodecs
import CSockets
import Codecs
import RTP

/// CPU of encoding and of decoding 20 ms of speech-like sound in one codec; microseconds, the median of five runs.
///
/// `name`: PCMU, G722, opus16 or opus48 (the rate inside). nil: the library is not installed.
func measureCodec(_ name: String, frames: Int) throws -> (encode: Double, decode: Double)? {
    let codec: AudioCodec
    switch name {
    case "PCMU": codec = .pcmu
    case "G722": codec = .g722
    case "opus16": codec = .opus(sampleRate: 16_000, complexity: 5)
    case "opus48": codec = .opus(sampleRate: 48_000, complexity: 5)
    default: throw BenchError("no such codec: \(name)")
    }
    let format = codec.format(payloadType: 107)
    guard let encoder = codec.makeEncoder(format), let decoder = codec.makeDecoder(format) else { return nil }
    // Vowels: a pitch of 120 Hz with two formants, swelling four times a second.
    var voice = ToneGenerator([120, 240, 720, 1_200, 2_400], sampleRate: codec.sampleRate, amplitude: 4_000)
    var swell = ToneGenerator(4, sampleRate: codec.sampleRate, amplitude: 256)
    let sounds = (0..<50).map { _ in
        let count = codec.sampleRate / 50
        return zip(voice.next(count), swell.next(count)).map { Int16((Int($0) * abs(Int($1))) >> 8) }
    }
    var payloads: [[UInt8]] = []
    func median(_ body: () -> Void) -> Double {
        (0..<5).map { _ in
            let start = bench_thread_cpu()
            body()
            return Double(bench_thread_cpu() - start) / 1_000 / Double(frames)
        }.sorted()[2]
    }
    let encode = median {
        payloads.removeAll(keepingCapacity: true)
        for number in 0..<frames { payloads.append(encoder.encode(sounds[number % 50])) }
    }
    let decode = median { for payload in payloads { _ = decoder.decode(payload) } }
    return (encode, decode)
}
