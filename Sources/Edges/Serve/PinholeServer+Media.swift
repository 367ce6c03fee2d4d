import Base
import Codecs
import LinuxEdge
import Media
import MediaControl
import MediaPlane
import SRTP
import ServerNode

/// The media plane of a running server: its loops, what they can decode, and how they are tied to signalling.
extension PinholeServer {
    /// Binds the media ports on the addresses SIP is listened on. Throws where a loop got not one port.
    func openMedia(beside datagrams: [Endpoint]) throws(ServeError) -> [MediaLoop] {
        var addresses: [IPAddress] = []
        for endpoint in datagrams where !addresses.contains(endpoint.address) { addresses.append(endpoint.address) }
        var loops: [MediaLoop] = []
        for ports in MediaLoopSettings.ports(of: settings.media.ports, loops: settings.media.loops) {
            do throws(SystemError) {
                loops.append(try MediaLoop(MediaLoopSettings(addresses: addresses, ports: ports)))
            } catch {
                let range = settings.media.ports
                throw ServeError(
                    description: "media: none of the ports \(range.lowerBound) to \(range.upperBound) can be opened (\(error)). "
                        + "Choose others with --set media.ports=FIRST-LAST, or fewer with --set media.loops=1.")
            }
        }
        return loops
    }

    func start(_ loops: [MediaLoop], entropy: inout Entropy, events: Mailbox<MediaEvent>, clock: RealTime) {
        for loop in loops {
            let plane = MediaPlane(
                codecs: .g711, srtp: settings.media.isSecurable ? LibSRTP.provider : nil, entropy: entropy.fork())
            loop.start(plane, clock: clock, events: events) { [log] error in
                log(clock.now, .trouble("a media loop ended: \(error)"))
            }
        }
    }
}
