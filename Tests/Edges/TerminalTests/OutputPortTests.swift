import Foundation
import TerminalEdge
import Testing

@Suite("Output that cannot be written")
struct OutputPortTests {
    @Test("A full disk takes nothing and traps nothing: what is lost is counted")
    func full() {
        let descriptor = open("/dev/full", O_WRONLY)
        defer { close(descriptor) }
        let port = OutputPort(descriptor)
        port.write("one\n")
        port.write("two\n")
        #expect(port.textsLost == 2)
    }

    @Test("Once it can be written again, the first line says how much was lost and why")
    func again() throws {
        var ends: (Int32, Int32) = (0, 0)
        try withUnsafeMutableBytes(of: &ends) { try #require(pipe($0.baseAddress!.assumingMemoryBound(to: Int32.self)) == 0) }
        let full = open("/dev/full", O_WRONLY)
        let descriptor = dup(full)
        let port = OutputPort(descriptor)
        port.write("lost\n")
        dup2(ends.1, descriptor)
        port.write("kept\n")
        #expect(port.textsLost == 0)
        for end in [descriptor, full, ends.1] { close(end) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(ends.0, &buffer, buffer.count)
        close(ends.0)
        #expect(
            String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
                == "error: 1 line of output before this one was lost (5 bytes): No space left on device\nkept\n")
    }
}
