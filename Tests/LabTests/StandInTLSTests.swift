import Base
import Lab
import Testing

@Suite("the stand-in for TLS")
struct StandInTLSTests {
    /// Both ends with the handshake behind them.
    private func ends(seed: UInt64 = 1) -> (client: StandInTLS, server: StandInTLS) {
        var entropy = Entropy(labSeed: seed)
        var client = StandInTLS(isClient: true, entropy: &entropy)
        var server = StandInTLS(isClient: false, entropy: &entropy)
        let answer = server.receive(client.hello)
        #expect(answer.opened && server.isOpen && !answer.isBroken)
        let end = client.receive(answer.reply)
        #expect(end.opened && client.isOpen && end.reply.isEmpty)
        return (client, server)
    }

    private let text = Array("REGISTER sip:example.net SIP/2.0\r\n".utf8)

    @Test("what goes in at one end comes out at the other, both ways, however the octets are cut on the way")
    func carries() {
        for cut in [1, 2, 7, 1_000] {
            var (client, server) = ends()
            for count in [1, 34, 20_000] {
                let plain = (0..<count).map { text[$0 % text.count] }
                var got: [UInt8] = []
                let wire = client.protect(plain)
                for start in stride(from: 0, to: wire.count, by: cut) {
                    let result = server.receive(Array(wire[start..<min(start + cut, wire.count)]))
                    #expect(!result.isBroken)
                    got += result.plain
                }
                #expect(got == plain)
                #expect(client.receive(server.protect(plain)).plain == plain)
            }
        }
    }

    @Test("an onlooker sees TLS records and none of the text; the same text never looks the same twice")
    func hides() {
        var (client, _) = ends()
        let first = client.protect(text)
        let second = client.protect(text)
        #expect(first.prefix(3) == [23, 3, 3] && client.hello.prefix(3) == [22, 3, 3])
        #expect(first != second && !String(decoding: first, as: UTF8.self).contains("REGISTER"))
    }

    @Test("whichever bit of a record is changed, nothing of it is delivered, and the end is broken or waits in vain")
    func notices() {
        let (client, server) = ends()
        var sender = client
        let wire = sender.protect(text)
        for bit in 0..<(wire.count * 8) {
            var receiver = server
            var changed = wire
            changed[bit / 8] ^= 1 << (bit % 8)
            let result = receiver.receive(changed)
            #expect(result.plain.isEmpty)
            // A longer length waits for octets that never come.
            let isHeader = bit / 8 < 5
            #expect(result.isBroken || isHeader, "bit \(bit)")
        }
    }

    @Test("records lost, repeated or swapped break it; so do SIP in the clear, nonsense and a second greeting")
    func order() {
        let (client, server) = ends()
        var sender = client
        let records = (0..<3).map { sender.protect([UInt8($0)]) }
        for wrong in [[1], [0, 0], [1, 0], [0, 2]] {
            var receiver = server
            let result = receiver.receive(wrong.flatMap { records[$0] })
            #expect(result.isBroken && result.plain.count <= 1)
        }
        for nonsense in [text, [22, 3, 3, 0, 1, 9], [0x0d, 0x0a, 0x0d, 0x0a, 0], client.hello] {
            var receiver = server
            #expect(receiver.receive(nonsense).isBroken)
        }
        var entropy = Entropy(labSeed: 3)
        for length in 0..<60 {
            var fresh = StandInTLS(isClient: false, entropy: &entropy)
            let body = entropy.bytes(length)
            let result = fresh.receive([22, 3, 3, 0, UInt8(length)] + body)
            #expect(!result.opened || body.count >= 38)
        }
    }
}
