import Base
import Capture
import Testing

@Suite("The log of pinhole serve and pinhole phone")
struct LogServeTests {
    private static let meanings = ["REGISTER without credentials", "challenge 1"]

    /// As the debug view prints a REGISTER and its 401: `nat` stands where messages leave, nothing for a phone.
    private static func view(_ nat: String, time: Bool, isServer: Bool) -> String {
        func block(_ message: [String], _ received: Bool, _ meaning: String, _ fraction: String) -> String {
            let place = isServer ? "198.51.100.7:40112" : "203.0.113.10:5060"
            let stamp = time ? "[2026-11-29 10:00:00.\(fraction)] " : ""
            let isResponse = message[0].hasPrefix("SIP")
            let (opening, closing) =
                received
                ? ("<--- SIP read from UDP:\(place) --->", "<------------->\n--- (\(message.count - 2) headers 0 lines) ---")
                : isResponse
                    ? ("<--- Transmitting \(nat)to \(place) --->", "<------------>") : ("Transmitting \(nat)to \(place):", "---")
            return stamp + ([opening] + message + [closing, "=> " + meaning]).joined(separator: "\n") + "\n\n"
        }
        return block(LogFormsTests.request, isServer, meanings[0], "123")
            + block(LogFormsTests.response, !isServer, meanings[1], "161")
    }

    @Test("the debug view of a server and of a phone, with times and without", arguments: [true, false], [true, false])
    func view(isServer: Bool, time: Bool) {
        let found = LogFormsTests.messages(Self.view(isServer ? "(NAT) " : "", time: time, isServer: isServer))
        #expect(
            found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [
                LogFormsTests.wire(LogFormsTests.request), LogFormsTests.wire(LogFormsTests.response),
            ])
        #expect(found.map(\.message.direction) == (isServer ? [.received, .sent] : [.sent, .received]))
        #expect(Set(found.compactMap { $0.message.remote?.port }) == [isServer ? 40112 : 5060])
        let times = ["2026-11-29 10:00:00.123", "2026-11-29 10:00:00.161"].compactMap { LoggedTime($0)?.instant }
        #expect(found.compactMap { $0.time?.instant } == (time ? times : []))
    }

    @Test("a repetition that is not counted")
    func repetition() {
        let text = "Retransmitting (NAT) to 198.51.100.7:40112:\n" + LogFormsTests.response.joined(separator: "\n") + "\n---\n"
        #expect(LogFormsTests.messages(text).map(\.message.direction) == [.retransmitted(0)])
    }
}
