import CaptureCrypto
import TLS
import Testing

@Suite("TLS read with a key log")
struct TLSConnectionTests {
    static let plain = [
        "tls12-aes128-gcm", "tls12-aes256-gcm", "tls12-chacha20", "tls12-aes128-ccm", "tls12-aes256-ccm8", "tls12-cbc-sha",
        "tls12-cbc-sha256", "tls12-cbc-sha384-etm", "tls11-cbc-sha", "tls10-cbc-sha", "tls12-renegotiation",
        "tls13-aes128-gcm", "tls13-aes256-gcm", "tls13-chacha20", "tls13-aes128-ccm", "tls13-padding", "tls13-retry",
    ]

    private func messages(_ numbers: ClosedRange<Int>, isAnswer: Bool) -> String {
        numbers.map { TLSConversation.message($0, isAnswer: isAnswer) }.joined()
    }

    @Test("every version and suite gives the text of both sides", arguments: plain)
    func suites(_ name: String) throws {
        let read = try TLSConversation(name).read()
        #expect(read.client == messages(1...2, isAnswer: false) && read.server == messages(1...2, isAnswer: true))
        #expect(read.outcomes == [])
    }

    @Test("RFC 8446 4.6.3: keys change when a side says so, as often as it likes")
    func keyUpdate() throws {
        let read = try TLSConversation("tls13-key-update").read()
        #expect(read.client == messages(1...3, isAnswer: false) && read.server == messages(1...3, isAnswer: true))
        #expect(read.outcomes == [])
    }

    @Test("a key log without the handshake's secrets does for TLS 1.3, too", arguments: plain.filter { $0.hasPrefix("tls13") })
    func withoutHandshakeSecrets(_ name: String) throws {
        var conversation = try TLSConversation(name)
        conversation.keys.removeAll { $0.contains("HANDSHAKE") }
        let read = conversation.read()
        #expect(read.client == messages(1...2, isAnswer: false) && read.server == messages(1...2, isAnswer: true))
    }

    @Test("a session whose secrets are not in the log is told as such", arguments: plain)
    func noKey(_ name: String) throws {
        let other = try TLSConversation("tls13-wss").log
        let read = try TLSConversation(name).read(other)
        #expect(read.outcomes.first == .unreadable(.noKey) && read.client.isEmpty && read.server.isEmpty)
    }

    @Test("half of TLS 1.3's secrets are as good as none")
    func halfOfTheKeys() throws {
        var conversation = try TLSConversation("tls13-aes128-gcm")
        conversation.keys.removeAll { $0.hasPrefix("SERVER_TRAFFIC") }
        #expect(conversation.read().outcomes.first == .unreadable(.noKey))
    }

    @Test("a suite that is not read here is named")
    func suite() throws {
        #expect(try TLSConversation("tls12-camellia").read().outcomes.first == .unreadable(.suite(0xc072)))
        #expect(TLSCipherSuite.name(0xc072) == "a Camellia suite (0xc072)" && TLSCipherSuite.name(0x00ff) == "0x00ff")
        #expect(TLSCipherSuite.name(0x000a) == "TLS_RSA_WITH_3DES_EDE_CBC_SHA")
    }

    @Test("secrets of another session under this one's name open nothing, and that ends it", arguments: plain)
    func wrongKeys(_ name: String) throws {
        var conversation = try TLSConversation(name)
        conversation.keys = conversation.keys.map { line in
            let last = line.last == "0" ? "1" : "0"
            return line.dropLast() + last
        }
        let read = conversation.read()
        #expect(read.client.isEmpty && read.server.isEmpty)
        #expect(read.outcomes.allSatisfy { $0 == .lost || $0 == .unreadable(.wrongKey) })
    }

    @Test(
        "a flipped bit costs its record alone", arguments: plain.filter { $0 != "tls12-renegotiation" && $0 != "tls10-cbc-sha" })
    func flipped(_ name: String) throws {
        let read = try TLSConversation(name).read { list, side in
            guard side == .client else { return }
            // The last but one record with text of the client; the very last is an alert.
            let texts = list.indices.filter { list[$0][0] == 23 }
            let place = texts[texts.count - (name.hasPrefix("tls13") ? 2 : 1)]
            list[place][list[place].count / 2] ^= 4
        }
        #expect(read.client == messages(1...1, isAnswer: false) && read.server == messages(1...2, isAnswer: true))
        #expect(read.outcomes == [.lost])
    }

    @Test(
        "a record that is missing is gone over by trying the numbers after it", arguments: plain.filter { $0 != "tls10-cbc-sha" })
    func missing(_ name: String) throws {
        let conversation = try TLSConversation(name)
        var connection = TLSConnection()
        var text: [UInt8] = []
        var client = conversation.records(of: .client)
        func feed(_ record: [UInt8], _ side: TLSSide) -> TLSConnection.Outcome {
            record.withUnsafeBytes { connection.receive($0, from: side, conversation.log, .libcrypto) }
        }
        let hellos = name == "tls13-retry" ? 3 : 1
        for record in client.prefix(hellos) { _ = feed(record, .client) }
        for record in conversation.records(of: .server) { _ = feed(record, .server) }
        client.removeFirst(hellos)
        let texts = client.indices.filter { client[$0][0] == 23 }
        let first = texts[texts.count - (name.hasPrefix("tls13") ? 3 : 2)]
        for (index, record) in client.enumerated() {
            if index == first {
                let isReadable = connection.interrupted(.client)
                #expect(isReadable)
            } else if case .text(let octets) = feed(record, .client) {
                text += octets
            }
        }
        #expect(String(decoding: text, as: UTF8.self) == messages(2...2, isAnswer: false))
    }

    @Test("whatever one octet becomes, nothing traps", arguments: ["tls13-aes128-gcm", "tls12-cbc-sha", "tls12-aes128-gcm"])
    func everyOctet(_ name: String) throws {
        let conversation = try TLSConversation(name)
        let count = conversation.records(of: .server).map(\.count).reduce(0, +)
        for place in stride(from: 0, to: count, by: 3) {
            _ = conversation.read { list, side in
                guard side == .server else { return }
                var left = place
                for index in list.indices {
                    if left < list[index].count {
                        list[index][left] ^= 0xff
                        return
                    }
                    left -= list[index].count
                }
            }
        }
    }
}
