import Base
import CLinux
import LinuxEdge
import Synchronization

/// The media ports of one loop, bound ahead on every address: for each stream an even port for RTP and the next one for RTCP.
///
/// All I/O happens on the one thread whose loop holds it.
final class MediaSockets: Sendable {
    struct Socket: Sendable {
        let descriptor: Int32
        let port: UInt16
        /// As bound; may be unspecified.
        let address: IPAddress
    }

    let sockets: [Socket]
    /// RTP ports that are bound with their neighbour on every address.
    let ports: [UInt16]
    /// By port: the first of its sockets, one for each address; -1: not ours.
    private let first: [Int32]
    private let addresses: [IPAddress]
    private let isClosed = Atomic(false)

    /// Ports that something else holds are left out. Throws where none is left, with the kernel's reason for the first.
    init(addresses named: [IPAddress], ports candidates: [UInt16], receiveBuffer: Int) throws(SystemError) {
        // All of a family and one address of it cannot both be bound.
        let addresses = named.enumerated().filter { place, address in
            !named[..<place].contains(address)
                && (address.isUnspecified || !named.contains { $0.isUnspecified && $0.isIPv6 == address.isIPv6 })
        }.map(\.element)
        var sockets: [Socket] = []
        var ports: [UInt16] = []
        var first = [Int32](repeating: -1, count: 65_536)
        var firstTrouble: SystemError?
        var isOut = false
        for port in candidates where !isOut && port > 0 && port < .max {
            var opened: [Socket] = []
            var trouble: SystemError?
            pair: for number in [port, port + 1] {
                for address in addresses {
                    var local = Endpoint(address, number).kernelAddress()
                    let result = pl_media_open(&local, Int32(clamping: receiveBuffer))
                    guard result >= 0 else {
                        trouble = SystemError(code: -result, doing: "opening media port \(Endpoint(address, number))")
                        break pair
                    }
                    opened.append(Socket(descriptor: result, port: number, address: address))
                }
            }
            if let trouble {
                for socket in opened { pl_close(socket.descriptor) }
                firstTrouble = firstTrouble ?? trouble
                // No descriptors left: further ports would fail as well.
                isOut = trouble.code == 24 || trouble.code == 23
                continue
            }
            first[Int(port)] = Int32(sockets.count)
            first[Int(port) + 1] = Int32(sockets.count + addresses.count)
            sockets += opened
            ports.append(port)
        }
        self.sockets = sockets
        self.ports = ports
        self.first = first
        self.addresses = addresses
        if ports.isEmpty {
            throw firstTrouble ?? SystemError(code: 22, doing: "opening media ports: no port or no address is named")
        }
    }

    deinit { close() }

    /// Frees the ports, once. Nobody may use a socket at or after this.
    func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for socket in sockets { pl_close(socket.descriptor) }
    }

    /// The socket that sends from `source` towards `destination`: of its port, of the destination's family, best of that very address.
    @inline(__always)
    func index(from source: Endpoint, to destination: Endpoint) -> Int? {
        let start = Int(first[Int(source.port)])
        guard start >= 0 else { return nil }
        let isIPv6 = destination.address.isIPv6
        var found: Int?
        for (place, address) in addresses.enumerated() where address.isIPv6 == isIPv6 {
            if address == source.address || address.isUnspecified { return start + place }
            found = found ?? start + place
        }
        return found
    }
}
