import AudioCodecs
import Base
import Codecs
import Conference
import MediaControl
import RTP
import Testing

@Suite struct MixedRoomTests {
    private final class Caller {
        let slot: Int
        let format: MediaFormat
        let codec: AudioCodec
        let encoder: any AudioEncoder
        let decoder: any AudioDecoder
        var tone: ToneGenerator
        var heard: [Int16] = []

        init(_ slot: Int, _ codec: AudioCodec, _ frequency: Int) throws {
            self.slot = slot
            self.codec = codec
            format = codec.format(payloadType: 107)
            encoder = try #require(codec.makeEncoder(format))
            decoder = try #require(codec.makeDecoder(format))
            tone = ToneGenerator(frequency, sampleRate: codec.sampleRate)
        }
    }

    @Test(
        "Opus, G.722, A-law and mu-law in one room: each hears the other three and not himself",
        .enabled(if: AudioLibraries.hasOpus && AudioLibraries.hasG722), arguments: [48_000, 16_000])
    func room(opusRate: Int) throws {
        let registry = AudioLibraries.registry(opusRate: opusRate)
        var plane = SoundPlane(codecs: registry, entropy: Entropy(labSeed: 3))
        var now = Instant(seconds: 100)
        let tones = [440, 710, 1_130, 1_810]
        let callers = try [.opus, .g722, .pcma, .pcmu].enumerated().map { (slot, format: MediaFormat) in
            try Caller(slot, try #require(registry.codec(for: format)), tones[slot])
        }
        for caller in callers {
            plane.serve(
                slot: caller.slot, id: MediaLegID(UInt64(caller.slot)),
                service: .room(RoomEntry(room: "8000", party: "\(caller.slot)")),
                remote: MediaRemote(epoch: 1, rtp: nil, formats: [caller.format]), at: now)
        }
        for number in 0..<200 {
            for caller in callers {
                let packet = RTPPacket(
                    payloadType: caller.format.payloadType, sequenceNumber: UInt16(number),
                    timestamp: UInt32(number * caller.format.clockRate / 50), ssrc: UInt32(caller.slot),
                    payload: caller.encoder.encode(caller.tone.next(caller.codec.sampleRate / 50))
                ).bytes
                let header = try #require(RTPHeader(packet))
                packet[header.payloadStart...].withUnsafeBytes {
                    plane.packet(slot: caller.slot, header: header, payload: $0, at: now)
                }
            }
            now += .milliseconds(20)
            plane.advance(to: now)
            while let packet = plane.nextPacket() {
                let caller = callers[packet.slot]
                let parsed = try #require(RTPPacket(parsing: packet.bytes))
                #expect(parsed.payloadType == caller.format.payloadType)
                let samples = caller.decoder.decode(parsed.payload)
                #expect(samples.count == caller.codec.sampleRate / 50)
                if number >= 100 { caller.heard += samples }
            }
        }
        for caller in callers {
            #expect(caller.heard.count == 2 * caller.codec.sampleRate)
            for (other, tone) in tones.enumerated() {
                let share = ToneMeter.share(of: tone, in: caller.heard, sampleRate: caller.codec.sampleRate)
                if other == caller.slot {
                    #expect(share < 0.002, "\(caller.codec.encoding) hears himself")
                } else {
                    #expect(share > 0.25 && share < 0.42, "\(caller.codec.encoding) hears \(tone)")
                }
            }
        }
        #expect(plane.counts.undecodable == 0 && plane.counts.concealed == 0)
    }
}
