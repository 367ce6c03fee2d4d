import Base
import HEPEdge
import LinuxEdge
import MetricsEdge
import Relay
import Streams

/// Those who watch over a running server: the metrics port and the HEP collector. Neither keeps it from serving.
extension PinholeServer {
    /// nil: no collector is named.
    func startHEP(_ clock: RealTime) -> HEPSender? {
        guard let settings = settings.hep else { return nil }
        let sender = HEPSender(settings, clock: clock) { [log] report in
            switch report {
            case .trouble(let text): log(clock.now, .trouble(text))
            case .relief(let text): log(clock.now, .relief(text))
            }
        }
        sender.start()
        return sender
    }

    /// nil: no metrics are wanted, or their port cannot be had, which was said.
    func openMetrics(_ streams: StreamService, _ media: MediaService, _ hep: HEPSender?, _ clock: RealTime) -> MetricsServer? {
        guard let feed = metrics, let endpoint = settings.metrics else { return nil }
        let software = settings.server.software
        let server = MetricsServer(registry: feed.registry) { [requests] page, answer in
            let report: @Sendable (ServerSnapshot) -> Void = { snapshot in
                answer {
                    switch page {
                    case .metrics:
                        let families = ServerMetrics(
                            snapshot: snapshot, streams: streams.counters, connections: streams.connectionCount,
                            media: media.counters, hep: hep.map { ($0.counters, $0.waiting) }, output: feed.output(),
                            software: software
                        ).families
                        var text = PrometheusText()
                        for family in families + feed.registry.families() + ProcessMetrics.families() { text.append(family) }
                        return .init(isGood: true, contentType: PrometheusText.contentType, text.bytes)
                    case .health: return .init(isGood: true, Array("ok\n".utf8))
                    case .readiness:
                        let why =
                            snapshot.isDraining ? "it is about to end" : snapshot.storageWorks ? nil : "nothing can be stored"
                        return .init(isGood: why == nil, Array("\(why.map { "not ready: \($0)" } ?? "ready")\n".utf8))
                    }
                }
            }
            if !requests.post(.status(report)) {
                answer { .init(isGood: false, Array("the signalling thread answers nobody\n".utf8)) }
            }
        }
        do throws(MetricsServerError) {
            log(clock.now, .listening("metrics over HTTP", try server.listen(at: endpoint)))
            return server
        } catch {
            server.stop()
            log(clock.now, .warning(Self.explain(error, endpoint)))
            return nil
        }
    }

    private static func explain(_ error: MetricsServerError, _ endpoint: Endpoint) -> String {
        let cure = "choose another place with --set metrics=\(endpoint.address.uriHost):PORT, or say --set metrics=off"
        let other = SystemError(code: error.code, doing: "opening \(endpoint)").description
        let why =
            switch error.code {
            case 0: error.description
            case 98:
                "port \(endpoint.port) on \(endpoint.address) is taken by another program (see which with: ss -tlpn 'sport = :\(endpoint.port)')"
            default: other
            }
        return "no metrics: \(why). Everything else is served; \(cure)"
    }
}

extension HEPItem {
    /// What RTCP said in passing; `time` as the wall clock shows it.
    init(_ report: RelayTable.PassingReport, at time: Instant) {
        self.init(.rtcp(report.bytes, callID: report.callID), from: report.source, to: report.local, at: time)
    }
}
