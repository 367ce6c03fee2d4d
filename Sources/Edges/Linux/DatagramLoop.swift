import Base
import CLinux
import Synchronization

/// What a `DatagramLoop` drives: a node in disguise. Called on the loop's thread only.
public protocol DatagramDriver: AnyObject {
    var nextDeadline: Instant? { get }
    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant)
    /// Something was posted to a mailbox that shares the loop's wake signal.
    func woken(at now: Instant)
    func advance(to now: Instant)
    /// What is to be sent; a source with an unspecified address leaves the choice to the kernel.
    func nextDatagram() -> Datagram?
    /// The kernel refused a datagram (no route, firewall, full buffer), or ICMP reported that one did not arrive.
    func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant)
    /// After each round: everything received so far is dealt with and sent.
    func roundEnded(at now: Instant)
}

/// One thread's loop over UDP sockets: receive a batch, let the driver think, send a batch, sleep until the next deadline.
public final class DatagramLoop {
    private let sockets: SocketSet
    private let clock: RealTime

    public init(sockets: [UDPSocket], wake: WakeSignal, clock: RealTime) throws(SystemError) {
        self.sockets = try SocketSet(sockets, wake: wake)
        self.clock = clock
    }

    /// Runs until `stop` is set and the wake signal given; the driver's last datagrams are sent first.
    public func run(_ driver: any DatagramDriver, until stop: borrowing Atomic<Bool>) throws(SystemError) {
        driver.advance(to: clock.now)
        drain(driver)
        while !stop.load(ordering: .acquiring) {
            var wait: Int64 = -1
            if let deadline = driver.nextDeadline {
                wait = max(0, (deadline - clock.now).wholeNanoseconds)
            }
            let count = try sockets.wait(wait)
            let now = clock.now
            for index in 0..<count {
                if let socket = sockets.ready(index) { receive(on: socket, driver, at: now) } else { driver.woken(at: now) }
            }
            if let deadline = driver.nextDeadline, deadline <= now { driver.advance(to: now) }
            drain(driver)
            driver.roundEnded(at: now)
        }
    }

    private func receive(on socket: UDPSocket, _ driver: any DatagramDriver, at now: Instant) {
        if socket.hearsErrors { hearErrors(of: socket, driver) }
        sockets.receive(on: socket) { payload, source, local in driver.received(payload, from: source, to: local, at: now) }
    }

    private func hearErrors(of socket: UDPSocket, _ driver: any DatagramDriver) {
        for _ in 0..<64 {
            guard let (destination, error) = sockets.error(of: socket) else { return }
            if let destination { driver.sendFailed(to: destination, error, at: clock.now) }
        }
    }

    private func drain(_ driver: any DatagramDriver) {
        let failed = { [clock] (destination: Endpoint, error: SystemError) in
            driver.sendFailed(to: destination, error, at: clock.now)
        }
        while let datagram = driver.nextDatagram() {
            let room = sockets.room
            // What is too long for any datagram is refused by its length.
            datagram.payload.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(room.count))) }
            sockets.send(datagram.payload.count, from: datagram.source, to: datagram.destination, failed)
        }
        sockets.flush(failed)
    }
}
