import Base
import Capture
import Foundation
import Glibc
import HEPEdge
import LinuxEdge
import Synchronization
import Testing
import Waiting

/// Real sockets on the loopback interface; the collector's troubles in virtual time.
@Suite("Sending to a HEP collector")
struct HEPSenderTests {
    /// Holds a port, and reads what comes to it.
    final class Collector: Sendable {
        let port: UInt16
        private let descriptor: Int32

        init(port: UInt16 = 0) throws {
            descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var patience = timeval(tv_sec: 120, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { [descriptor] in
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            self.port = UInt16(bigEndian: address.sin_port)
            try #require(status)
        }

        deinit { close(descriptor) }

        func next() throws -> (packet: HEPPacket, payload: String) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            let bytes = Array(buffer[..<max(0, count)])
            let packet = try HEPPacket(bytes)
            return (packet, String(decoding: bytes[packet.payload], as: UTF8.self))
        }
    }

    final class Reports: Sendable {
        let all = Mutex<[String]>([])
        func hear(_ report: HEPSender.Report) {
            all.withLock { all in
                switch report {
                case .trouble(let text): all.append("trouble: \(text.prefix { $0 != "?" })")
                case .relief(let text): all.append("relief: \(text)")
                }
            }
        }
        var heard: [String] { all.withLock { $0 } }
    }

    static let phone = Endpoint("192.0.2.7:5062")!
    static let server = Endpoint("198.51.100.1:5060")!
    static let options = "OPTIONS sip:a SIP/2.0\r\nCall-ID: c9\r\n\r\n"

    func item(_ text: String = options, isStream: Bool = false) -> HEPItem {
        HEPItem(
            .sip(Array(text.utf8)), from: Self.phone, to: Self.server, isStream: isStream,
            at: Instant(nanoseconds: 1_700_000_000_123_456_789))
    }

    @Test("a collector is told who said what to whom, and when")
    func sends() throws {
        let collector = try Collector()
        var settings = HEPSettings(host: "127.0.0.1", port: collector.port)
        (settings.captureID, settings.password) = (77, "sesame")
        let sender = HEPSender(settings, clock: RealTime()) { _ in }
        sender.start()
        sender.post(item())
        sender.post(item("\r\n\r\n"))
        sender.post(item(isStream: true))
        for ipProtocol in [UInt8(17), 6] {
            let (packet, payload) = try collector.next()
            #expect(packet.source == Self.phone && packet.destination == Self.server && packet.ipProtocol == ipProtocol)
            #expect(packet.time == Instant(nanoseconds: 1_700_000_000_123_456_000) && packet.agent == 77)
            #expect(packet.kind == .sip && packet.correlation == "c9" && payload == Self.options)
        }
        sender.stop()
        var expected = HEPCounters()
        expected.sip = 2
        #expect(sender.counters == expected && sender.waiting == 0)
    }

    @Test("what waits is bounded by number and by size; what finds no room is counted")
    func bounds() {
        // Not started: nothing is taken.
        let sender = HEPSender(HEPSettings(host: "127.0.0.1"), clock: RealTime()) { _ in }
        for _ in 0..<(HEPSender.most.items + 5) { sender.post(item()) }
        #expect(sender.waiting == HEPSender.most.items && sender.counters.queueFull == 5)
        let other = HEPSender(HEPSettings(host: "127.0.0.1"), clock: RealTime()) { _ in }
        let long = String(repeating: "a", count: 1 << 20)
        for _ in 0..<10 { other.post(item(long)) }
        #expect(other.waiting == 7 && other.counters.queueFull == 3)
    }

    @Test("a message that no packet can hold is counted")
    func tooLarge() throws {
        let collector = try Collector()
        let sender = HEPSender(HEPSettings(host: "127.0.0.1", port: collector.port), clock: RealTime()) { _ in }
        sender.start()
        sender.post(item(Self.options + String(repeating: "a", count: 65_500)))
        sender.stop()
        #expect(sender.counters.tooLarge == 1 && sender.counters.sip == 0)
    }

    @Test("a collector that is gone is said once, and once when it has been there again for a while; each loss is counted")
    func gone() throws {
        let port = try Collector().port
        let reports = Reports()
        var link = CollectorLink(
            HEPSettings(host: "127.0.0.1", port: port), retry: .seconds(30), calm: .seconds(10), report: reports.hear)
        var now = Instant(seconds: 1_000)
        var refusals: UInt64 = 0
        for _ in 0..<20 {
            _ = link.send([1], at: now)
            refusals += link.takeRefusals()
            now = now + .seconds(1)
        }
        // Each but the first draws the refusal of the one before, and goes out once more.
        #expect(refusals >= 10)
        #expect(
            reports.heard == [
                "trouble: HEP collector 127.0.0.1:\(port): Connection refused. Is it running, and does hep.collector name it"
            ])
        let collector = try Collector(port: port)
        for _ in 0..<15 {
            _ = link.send([1], at: now)
            now = now + .seconds(1)
        }
        #expect(reports.heard.dropFirst() == ["relief: the HEP collector 127.0.0.1:\(port) takes packets again"])
        withExtendedLifetime(collector) {}
    }

    @Test("of a name's addresses one where somebody listens is found: localhost, and nobody at ::1")
    func addresses() throws {
        let collector = try Collector()
        let reports = Reports()
        var link = CollectorLink(
            HEPSettings(host: "localhost", port: collector.port), retry: .seconds(30), calm: .seconds(10), report: reports.hear)
        let packet = try #require(HEPPacket.bytes(Array("x".utf8), from: Self.phone, to: Self.server, at: .epoch))
        for second in 0..<3 { _ = link.send(packet, at: Instant(seconds: 1_000 + Int64(second))) }
        #expect(try collector.next().payload == "x")
        #expect(reports.heard.isEmpty)
    }

    @Test("a name without an address is said once, asked for again after a while, and loses what comes meanwhile")
    func unknown() {
        let reports = Reports()
        var link = CollectorLink(
            HEPSettings(host: "nobody.invalid.", port: 9060), retry: .seconds(30), calm: .seconds(10), report: reports.hear)
        let start = Instant(seconds: 1_000)
        for second in [0, 1, 40] {
            if case .unsent = link.send([1], at: start + .seconds(second)) {} else { Issue.record("sent to nobody") }
        }
        #expect(
            reports.heard.count == 1
                && reports.heard[0].hasPrefix("trouble: HEP collector nobody.invalid.:9060: nobody.invalid. has no address"))
        #expect(link.takeRefusals() == 0)
    }
}
