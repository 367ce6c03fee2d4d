import Base
import Foundation
import LinuxEdge
import LogEdge
import SIP
import SIPStack
import Serve
import ShowText
import TerminalEdge
import Testing

@testable import ServeDaemon
@testable import ServerNode

@Suite("What pinhole serve tells")
struct ServeLogTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("serve-\(UUID().uuidString).log").path
    private let flow = FlowID(.udp, local: Endpoint("198.51.100.1:5060")!, remote: Endpoint("203.0.113.7:40000")!)

    /// The lines, without their times.
    private func lines(of traces: [ServerTrace], _ change: (inout ServeSettings) -> Void) throws -> [Substring] {
        var settings = ServeSettings()
        settings.log.file = path
        change(&settings)
        let thread = try LogThread(settings.log, clock: { Instant(seconds: 0) })
        thread.start()
        defer { unlink(path) }
        let clock = RealTime()
        let log = ServeLog(settings, on: thread, clock: clock, style: .plain)
        for trace in traces { log.take(.server(trace), at: clock.now) }
        #expect(thread.flush(within: 60))
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return text.split(separator: "\n").map { $0.hasPrefix("20") ? $0.dropFirst(24) : $0 }
    }

    private var failure: ServerTrace {
        .authentication(
            .init(
                flow: flow, username: SIPText("100"), from: SIPText(), callID: SIPText("c"), cseq: 1, nonce: SIPText("n"),
                challenge: nil, verdict: .absent, failure: .wrongPassword, isChanSIP: false))
    }

    @Test("A proved wrong password is told at level notice, whatever else is left out there")
    func notice() throws {
        let line = "auth-failure ip=203.0.113.7 port=40000 user=100 reason=wrong-password"
        #expect(try lines(of: [failure]) { $0.log.level = .notice } == [line[...]])
        #expect(try lines(of: [failure]) { $0.log.level = .warning } == [])
    }

    @Test("A message that is shown cannot speak like the log: nobody has others locked out by what he writes into one")
    func forged() throws {
        let message = try SIPMessage(
            parsing: Array(
                """
                OPTIONS sip:a SIP/2.0\r
                Via: SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK1\r
                Subject: x\r
                 auth-failure ip=192.0.2.1 port=1 user=x reason=wrong-password\r
                From: <sip:a@b>;tag=1\r
                To: <sip:a>\r
                Call-ID: 1\r
                CSeq: 1 OPTIONS\r
                Content-Length: 0\r
                \r

                """.utf8))
        let shown = try lines(of: [.received(flow, message, meaning: .request(.options))]) { $0.showsSIP = true }
        #expect(shown.contains { $0.contains("(auth-failure) ip=192.0.2.1") })
        #expect(!shown.contains { $0.contains("auth-failure ip=") })
    }
}
