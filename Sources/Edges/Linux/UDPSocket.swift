import Base
import CLinux

/// A bound UDP socket that tells the local address of every datagram and can send from a chosen one.
///
/// Invariant for `@unchecked Sendable`: the descriptor is immutable; all I/O happens on the one thread whose loop holds it.
public final class UDPSocket: @unchecked Sendable {
    let descriptor: Int32
    let hearsErrors: Bool
    /// As bound: the address may be unspecified, the port is the real one.
    public let local: Endpoint

    /// `local` with port 0 takes any free port. `sharePort`: SO_REUSEPORT. `hearsErrors`: its loop tells the driver when ICMP
    /// reports that a datagram could not be delivered.
    ///
    /// Throws the kernel's reason; an occupied port is EADDRINUSE.
    public init(_ local: Endpoint, sharePort: Bool = false, hearsErrors: Bool = false, receiveBuffer: Int = 4 << 20)
        throws(SystemError)
    {
        var wanted = local.kernelAddress()
        var bound = pl_address()
        let result = pl_udp_open(&wanted, sharePort, hearsErrors, Int32(clamping: receiveBuffer), &bound)
        guard result >= 0 else { throw SystemError(code: -result, doing: "opening UDP \(local)") }
        descriptor = result
        self.hearsErrors = hearsErrors
        self.local = Endpoint(bound) ?? local
    }

    deinit { pl_close(descriptor) }
}
