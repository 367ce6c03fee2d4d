import Base
import Capture
import CaptureInput
import Foundation
import Testing

@Suite("Live input", .serialized)
struct LiveInputTests {
    private func send(_ bytes: [UInt8], port: UInt16, isStream: Bool) {
        let descriptor = socket(AF_INET, Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        for start in stride(from: 0, to: bytes.count, by: isStream ? 50 : bytes.count) {
            let piece = Array(bytes[start..<min(bytes.count, start + (isStream ? 50 : bytes.count))])
            _ = Glibc.send(descriptor, piece, piece.count, 0)
        }
    }

    @Test("HEPv3 over UDP and TCP, from a real socket")
    func hep() throws {
        let input = try LiveInput()
        let port = try input.listen(hep: "127.0.0.1:0", file: 1)
        let (a, b) = (Endpoint("192.0.2.1:5060")!, Endpoint("192.0.2.2:5060")!)
        let packets = (1...4).compactMap { number in
            HEPPacket.bytes(Array("OPTIONS sip:\(number)@x SIP/2.0\r\n\r\n".utf8), from: a, to: b, at: .epoch)
        }
        // Bound and listening already: the kernel keeps what comes before `run`.
        send(packets[0], port: port, isStream: false)
        send(packets[1], port: port, isStream: false)
        send(packets[2] + packets[3], port: port, isStream: true)
        var seen: Set<String> = []
        try input.run(seconds: 120, idle: { _ in }) { batch in
            #expect(batch.file == 1)
            for record in batch.records { seen.insert(String(decoding: batch.bytes(of: record), as: UTF8.self)) }
            if seen.count == packets.count { input.stop() }
        }
        #expect(seen == Set((1...4).map { "OPTIONS sip:\($0)@x SIP/2.0\r\n\r\n" }))
        #expect(input.hepNotes.frames == 4 && input.hepNotes.damages == 0)
    }

    @Test("what is no address or no interface is refused in words")
    func refusals() throws {
        let input = try LiveInput()
        #expect(throws: InputError.self) { try input.listen(hep: "nowhere", file: 0) }
        #expect(throws: InputError.self) { try input.capture(interface: "no-such-interface", file: 0) }
    }
}
