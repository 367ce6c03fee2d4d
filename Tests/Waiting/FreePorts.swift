import Base
import LinuxEdge

/// Ports that nobody holds, as the kernel gives them. They are free again when `body` runs, so that it can bind them; where another
/// program comes between, `body` is tried again with others: it throws EADDRINUSE, or returns nil.
public func withFreePorts<Result>(
    _ count: Int = 1, at address: IPAddress = .v4(.loopback), _ body: ([Endpoint]) throws -> Result?
) throws -> Result {
    for _ in 0..<50 {
        var held = try (0..<count).map { _ in try UDPSocket(Endpoint(address, 0)) }
        let free = held.map(\.local)
        held = []
        do {
            if let result = try body(free) { return result }
        } catch let error as SystemError where error.code == 98 {
            continue
        }
    }
    throw Overdue(what: "\(count) free ports of \(address)")
}

/// Even ports whose neighbours are free, too: for RTP and RTCP.
public func withFreePairs<Result>(
    _ count: Int = 1, at address: IPAddress = .v4(.loopback), _ body: ([UInt16]) throws -> Result?
) throws -> Result {
    for _ in 0..<50 {
        var held: [UDPSocket] = []
        var ports: [UInt16] = []
        for _ in 0..<(20 * count) where ports.count < count {
            let one = try UDPSocket(Endpoint(address, 0))
            // Of a pair, the kernel chose either.
            guard let other = try? UDPSocket(Endpoint(address, one.local.port ^ 1)) else { continue }
            held += [one, other]
            ports.append(one.local.port & ~1)
        }
        held = []
        guard ports.count == count else { continue }
        do {
            if let result = try body(ports) { return result }
        } catch let error as SystemError where error.code == 98 {
            continue
        }
    }
    throw Overdue(what: "\(count) free pairs of ports at \(address)")
}
