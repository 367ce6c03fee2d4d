import Base
import Capture
import Glibc

/// A capture file without a name, to which a live capture writes what it sees, so that it can be read once more.
struct PcapSpool: ~Copyable {
    private let descriptor: Int32
    private let name: String
    private var pending: [UInt8]

    init(name: String) throws(InputError) {
        self.name = name
        descriptor = TemporaryFile.make()
        guard descriptor >= 0 else { throw InputError(name, code: errno, doing: "making a temporary file for it") }
        pending = PcapWriter().bytes
    }

    deinit { close(descriptor) }

    mutating func append(_ packet: UnsafeRawBufferPointer, wire: Int, at time: Instant) throws(InputError) {
        pending += PcapWriter.record(captured: packet.count, wire: wire, at: time)
        pending.append(contentsOf: packet)
        if pending.count > 1 << 20 { try flush() }
    }

    mutating func copy() throws(InputError) -> ByteCopy {
        try flush()
        let own = dup(descriptor)
        guard own >= 0 else { throw InputError(name, code: errno, doing: "reading its temporary file") }
        return ByteCopy(descriptor: own, name: name)
    }

    private mutating func flush() throws(InputError) {
        var at = 0
        while at < pending.count {
            let count = pending.withUnsafeBytes { write(descriptor, $0.baseAddress! + at, $0.count - at) }
            if count < 0, errno != EINTR { throw InputError(name, code: errno, doing: "writing its temporary file") }
            at += max(0, count)
        }
        pending.removeAll(keepingCapacity: true)
    }
}
