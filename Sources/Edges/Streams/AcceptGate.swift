import Foundation
import NIOCore

/// Stands in a listener's pipeline and tells the service where no descriptor is left for another connection. Left to itself a listener asks again
/// at once, for ever, as the connection that cannot be accepted stays readable.
final class AcceptGate: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let service: StreamService

    init(_ service: StreamService) { self.service = service }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        service.exhausted(error.description)
    }
}
