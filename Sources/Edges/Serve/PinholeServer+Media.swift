import AudioCodecs
import Base
import Codecs
import Foundation
import HEPEdge
import LinuxEdge
import Media
import MediaControl
import MediaPlane
import RTP
import Recording
import Relay
import SRTP
import ServerNode
import Speech

/// The media plane of a running server: its loops, what they can decode, say and record, and how they are tied to signalling.
struct MediaService {
    let loops: [MediaLoop]
    /// Where their ports come from.
    let range: ClosedRange<UInt16>
    private let codecs = AudioLibraries.registry()
    private let voice = SpokenText()
    private let recorder: WAVRecorder?

    /// Binds the media ports on the addresses SIP is listened on, and opens the folder for recordings where a room wants it. Throws
    /// what is wrong, with the cure.
    init(_ settings: ServeSettings, beside datagrams: [Endpoint], log: @escaping @Sendable (ServeEvent) -> Void)
        throws(ServeError)
    {
        var addresses: [IPAddress] = []
        for endpoint in datagrams where !addresses.contains(endpoint.address) { addresses.append(endpoint.address) }
        (range, loops) = try Self.bind(settings.media, addresses)
        recorder = try Self.recorder(settings, log: log)
    }

    private static func bind(
        _ settings: ServeSettings.Media, _ addresses: [IPAddress]
    ) throws(ServeError) -> (ClosedRange<UInt16>, [MediaLoop]) {
        var trouble: SystemError?
        let ranges = settings.ports.map { [$0] } ?? ServeSettings.Media.usualPorts
        for range in ranges {
            do throws(SystemError) {
                var loops: [MediaLoop] = []
                for ports in MediaLoopSettings.ports(of: range, loops: settings.loops) {
                    loops.append(try MediaLoop(MediaLoopSettings(addresses: addresses, ports: ports)))
                }
                return (range, loops)
            } catch {
                trouble = error
            }
        }
        let tried = ranges.map { "\($0.lowerBound) to \($0.upperBound)" }.joined(separator: ", ")
        throw ServeError(
            description: "media: none of the ports \(tried) can be opened (\(trouble.map { "\($0)" } ?? "none")). "
                + "Choose others with --set media.ports=FIRST-LAST, or fewer loops with --set media.loops=1.")
    }

    private static func recorder(
        _ settings: ServeSettings, log: @escaping @Sendable (ServeEvent) -> Void
    ) throws(ServeError) -> WAVRecorder? {
        guard settings.server.calls.rooms.contains(where: \.records) else { return nil }
        let beside = settings.database.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/recordings" }
        guard let folder = settings.media.recordings ?? beside else {
            throw ServeError(
                description: "a room is to be recorded, but nowhere: name a folder with --set media.recordings=FOLDER.")
        }
        do throws(SystemError) {
            return try WAVRecorder(folder: folder) { log(.recording($0)) }
        } catch {
            throw ServeError(description: "recordings: \(error). Name another folder with --set media.recordings=FOLDER.")
        }
    }

    var ports: [[UInt16]] { loops.map(\.ports) }

    /// What rooms and services can speak here, best first, with the payload types of our own offers.
    var formats: [MediaFormat] { codecs.offer().filter { codecs.codec(for: $0) != nil } }

    /// Whether announcements are spoken; otherwise they are given in Morse.
    var speaks: Bool { voice != nil }

    func start(
        _ settings: ServeSettings, entropy: inout Entropy, events: Mailbox<MediaEvent>, clock: RealTime, hep: HEPSender?,
        log: @escaping @Sendable (ServeEvent) -> Void
    ) {
        recorder?.start()
        var relay = RelaySettings()
        relay.believesAnyone = settings.media.believesAnyone
        relay.tellsReports = hep != nil
        let reports = hep.map { Self.reports(to: $0, clock) }
        for loop in loops {
            let plane = MediaPlane(
                settings: relay, codecs: codecs, speech: voice?.provider,
                srtp: settings.media.isSecurable ? LibSRTP.provider : nil, entropy: entropy.fork())
            loop.start(
                plane, clock: clock, events: events, recordings: recorder?.mailbox,
                reports: reports
            ) { error in
                log(.trouble("a media loop ended: \(error)"))
            }
        }
    }

    /// What RTCP says in passing, for the collector.
    private static func reports(
        to hep: HEPSender, _ clock: RealTime
    ) -> @Sendable (RelayTable.PassingReport, Instant) -> Void {
        { report, now in hep.post(HEPItem(report, at: clock.shown(now))) }
    }

    /// Only after `start`. Recordings are whole when it returns.
    func stop() {
        for loop in loops { loop.stop() }
        recorder?.stop()
    }

    var counters: [MediaCounters] { loops.map(\.counters) }
}
