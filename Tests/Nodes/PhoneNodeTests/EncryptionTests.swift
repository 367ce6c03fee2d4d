import Base
import MediaControl
import PhoneNode
import RTP
import SDP
import SIP
import Synchronization
import Testing

/// A cipher good enough to tell right keys from wrong ones: each byte of the payload plus the key, and the key's sum behind it.
private final class ToyTransform: SRTPTransform {
    let parameters: SRTPParameters

    init(_ parameters: SRTPParameters) { self.parameters = parameters }

    private static func sum(_ key: [UInt8]) -> UInt8 { key.reduce(7) { $0 &* 31 &+ $1 } }

    func protect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? {
        let sum = Self.sum(parameters.localKey)
        return packet.prefix(8) + packet.dropFirst(8).map { $0 &+ sum } + [sum]
    }

    func unprotect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? {
        let sum = Self.sum(parameters.remoteKey)
        guard packet.count > 8, packet.last == sum else { return nil }
        return packet.prefix(8) + packet.dropFirst(8).dropLast().map { $0 &- sum }
    }
}

@Suite("Encrypted audio by keys in SDP (RFC 4568)")
struct EncryptionTests {
    private static let provider = SRTPProvider { ToyTransform($0) }

    private func world(_ caller: CallSettings.Encryption, _ callee: CallSettings.Encryption) -> CallWorld {
        var first = CallSettings()
        first.encryption = caller
        var second = CallSettings.auto()
        second.encryption = callee
        return CallWorld([.caller(1, calls: first), .caller(2, calls: second)], srtp: Self.provider)
    }

    @Test("Required by the caller: RTP/SAVP is offered, keys are exchanged, both hear each other, and the wire shows no tone")
    func required() throws {
        var world = world(.required, .automatic)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(4))
        let offer = try SessionDescription(parsing: Array(try #require(world.requests(.invite).first).body))
        #expect(offer.media[0].profile == .savp)
        let answer = try SessionDescription(parsing: Array(try #require(world.responses(200, to: .invite).first).body))
        #expect(answer.media[0].crypto.count == 1)
        #expect(offer.media[0].crypto.first?.usable?.key != answer.media[0].crypto.first?.usable?.key)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
        #expect(world.events(0).contains { if case .media(let state) = $0 { state.isSRTP } else { false } })
        world.input(0, .hangUp(outgoing))
        #expect(world.report(0)?.isSRTP == true)
    }

    @Test("Required by one side, never by the other: 488 with a Warning", arguments: [true, false])
    func refused(callerRequires: Bool) {
        var world = callerRequires ? world(.required, .never) : world(.never, .required)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        #expect(world.report(0)?.end == .refused(code: 488, reason: "Not Acceptable Here"))
        #expect(world.responses(488, to: .invite).first?.first(.warning)?.value.string.hasPrefix("302 192.0.2.2 ") == true)
    }

    @Test("Automatic over UDP offers no keys: they could be read in passing")
    func automatic() throws {
        var world = world(.automatic, .automatic)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        #expect(!String(decoding: try #require(world.requests(.invite).first).body, as: UTF8.self).contains("a=crypto"))
    }

    @Test("Hold and resume keep the keys: the offers say the same but for direction and version")
    func keysKept() throws {
        var world = world(.required, .automatic)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(2))
        world.input(0, .resume(outgoing))
        world.run(for: .seconds(3))
        let keys = try world.requests(.invite).map { try SessionDescription(parsing: Array($0.body)).media[0].crypto.map(\.keys) }
        #expect(keys.count == 3)
        #expect(Set(keys).count == 1)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }

    @Test("Audio that is not genuine is not heard, and plain audio neither")
    func forged() throws {
        var world = world(.required, .automatic)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        for number in 0..<50 {
            let packet = RTPPacket(
                payloadType: 8, sequenceNumber: UInt16(number), timestamp: 0, ssrc: 1, payload: [UInt8](repeating: 0, count: 160))
            world.inject(Datagram(from: Endpoint("192.0.2.2:16384")!, to: Endpoint("192.0.2.1:16384")!, packet.bytes))
        }
        world.run(for: .seconds(2))
        world.input(0, .hangUp(outgoing))
        #expect(world.report(0)?.refused == 50)
    }

    @Test("SRTP proves who sent: another port of the peer's is believed with its first packet, plain audio with its third")
    func proved() throws {
        for (encryption, unheard) in [(CallSettings.Encryption.required, 0), (.never, 2)] {
            var world = world(encryption, encryption == .never ? .never : .automatic)
            world.wire = { datagram in
                guard datagram.source == Endpoint("192.0.2.2:16384") else { return datagram }
                return Datagram(from: Endpoint("192.0.2.2:20000")!, to: datagram.destination, datagram.payload)
            }
            world.call(0, "sip:102@192.0.2.2")
            world.run(for: .milliseconds(3_010))
            let end = world.elapsed
            world.input(0, .hangUp(outgoing))
            world.run(for: .seconds(1))
            let arrived = world.media.filter {
                $0.datagram.source == Endpoint("192.0.2.2:16384") && $0.datagram.payload[1] & 0x7f == 8
                    && $0.at + world.latency <= end
            }
            let report = try #require(world.report(0))
            #expect(arrived.count > 50 && report.packetsReceived == UInt64(arrived.count - unheard))
        }
    }

    @Test("Without a provider a phone that requires encryption makes no call, and says so")
    func noProvider() {
        var settings = CallSettings()
        settings.encryption = .required
        var world = CallWorld([.caller(1, calls: settings)])
        world.call(0, "sip:102@192.0.2.2")
        #expect(world.report(0)?.end == .impossible("encrypted audio is not available here"))
    }

    @Test("Each call draws keys, tags and SSRCs of its own")
    func fresh() throws {
        var world = world(.required, .automatic)
        var seen = Set<String>()
        for id in 1...4 {
            world.call(0, "sip:102@192.0.2.2", id: UInt64(id))
            world.run(for: .seconds(2))
            world.input(0, .hangUp(PhoneCallID(UInt64(id))))
            world.run(for: .seconds(1))
        }
        for invite in world.requests(.invite) {
            let crypto = try SessionDescription(parsing: Array(invite.body)).media[0].crypto
            for line in crypto { seen.insert(line.text) }
            seen.insert(try invite.callID.string)
            seen.insert(try #require(invite.from.tag).string)
        }
        #expect(seen.count == 4 * 4)
    }
}
