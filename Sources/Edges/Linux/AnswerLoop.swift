import Base
import Synchronization

/// An answer that stands in the room it was to be written to: its length and the way it takes.
public struct DatagramAnswer: Sendable {
    public var count: Int
    public var source: Endpoint
    public var destination: Endpoint

    public init(_ count: Int, from source: Endpoint, to destination: Endpoint) {
        self.count = count
        self.source = source
        self.destination = destination
    }
}

/// One thread's loop over UDP sockets on which every datagram is answered at once or never: answers are written where the kernel
/// fetches them and leave in the batch their requests came in.
public final class AnswerLoop {
    private let sockets: SocketSet

    public init(sockets: [UDPSocket], wake: WakeSignal) throws(SystemError) {
        self.sockets = try SocketSet(sockets, wake: wake)
    }

    /// Runs until `stop` is set and the wake signal given. `answer` writes into `room`, which holds any datagram and 320 bytes more; nil
    /// is silence. An answer that the kernel refuses is lost, as on the way.
    public func run(
        until stop: borrowing Atomic<Bool>,
        answering answer: (
            _ request: UnsafeRawBufferPointer, _ source: Endpoint, _ local: Endpoint, _ room: UnsafeMutableRawBufferPointer
        ) -> DatagramAnswer?
    ) throws(SystemError) {
        while !stop.load(ordering: .acquiring) {
            for index in 0..<(try sockets.wait(-1)) {
                guard let socket = sockets.ready(index) else { continue }
                sockets.receive(on: socket) { request, source, local in
                    guard let answer = answer(request, source, local, sockets.room) else { return }
                    sockets.send(answer.count, from: answer.source, to: answer.destination) { _, _ in }
                }
            }
            sockets.flush { _, _ in }
        }
    }
}
