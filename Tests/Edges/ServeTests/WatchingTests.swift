import Base
import Foundation
import PhoneNode
import Serve
import Testing
import Waiting

/// A running server's metrics, over real sockets; and whether what is written about them is true.
@Suite("Who watches over a server")
struct WatchingTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A server with a metrics port, and where that is.
    func server(_ metrics: String = "127.0.0.1:0") throws -> (LoopbackTests.Fixture, Endpoint) {
        let fixture = try LoopbackTests.Fixture(address: "127.0.0.1") { $0.metrics = Endpoint(metrics) }
        let endpoint = try awaited("the metrics port") { self.metricsPort(fixture) }
        return (fixture, endpoint)
    }

    func metricsPort(_ fixture: LoopbackTests.Fixture) -> Endpoint? {
        fixture.events.withLock { events in
            events.lazy.compactMap { event in
                if case .listening("metrics over HTTP", let endpoint) = event { endpoint } else { nil }
            }.first
        }
    }

    func get(_ path: String, _ endpoint: Endpoint) throws -> String {
        let client = try TCPClient(endpoint)
        client.send("GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
        return client.rest()
    }

    /// By name: type and labels, `le` not among them.
    func families(_ page: String) -> [String: String] {
        var types: [String: String] = [:]
        var labels: [String: Set<String>] = [:]
        for line in page.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            if line.hasPrefix("# TYPE "), words.count == 4 { types[String(words[2])] = String(words[3]) }
            guard let match = line.wholeMatch(of: #/([a-z_0-9]+)\{(.*)\} .*/#) else { continue }
            let name = String(match.1).replacing(#/_(bucket|sum|count)$/#, with: "")
            for label in match.2.matches(of: #/([a-z]+)="/#) where label.1 != "le" {
                labels[name, default: []].insert(String(label.1))
            }
        }
        return types.reduce(into: [:]) { result, family in
            result[family.key] = ([family.value] + (labels[family.key] ?? []).sorted()).joined(separator: " ")
        }
    }

    func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test(
        "docs/operations.md lists every metric that is told, with its type and labels, and no other; dashboard and alerts use no other"
    )
    func listed() throws {
        let (fixture, endpoint) = try server()
        defer { fixture.stop() }
        let told = families(try get("/metrics", endpoint))
        var listed: [String: String] = [:]
        for row in try text("docs/operations.md").matches(of: #/(?m)^\| `([a-z_0-9]+)` \| ([a-z]+) \| (.*?) \|/#) {
            let labels = row.3.matches(of: #/`([a-z]+)`/#).map { String($0.1) }.sorted()
            listed[String(row.1)] = ([String(row.2)] + labels).joined(separator: " ")
        }
        #expect(told == listed)
        for path in ["Examples/grafana-pinhole.json", "Examples/pinhole-alerts.yml"] {
            let names = Set(try text(path).matches(of: #/\b(?:pinhole|process)_[a-z_0-9]+/#).map { String($0.0) })
            let unknown = names.filter { name in
                told[name] == nil && told[name.replacing(#/_(bucket|sum|count)$/#, with: "")]?.hasPrefix("histogram") != true
            }
            #expect(unknown.isEmpty && names.count > 5)
        }
        let dashboard = try JSONSerialization.jsonObject(with: Data(try text("Examples/grafana-pinhole.json").utf8))
        #expect((dashboard as? [String: Any])?["title"] as? String == "Pinhole")
    }

    @Test("a registration is in the counters and histograms; the server is alive and ready")
    func registration() throws {
        let (fixture, endpoint) = try server()
        defer { fixture.stop() }
        let identity = PhoneSettings.Identity(user: "100", password: "secret", registrar: "127.0.0.1:\(fixture.endpointPort)")
        var page = ""
        try runPhone(PhoneSettings(identity: identity, locals: []), at: "127.0.0.1") { phone, status in
            guard status.isRegistered, page.isEmpty else { return }
            page = (try? get("/metrics", endpoint)) ?? "none"
            phone.stop()
        }
        let lines = Set(page.split(whereSeparator: \.isNewline).map(String.init))
        for line in [
            "pinhole_bindings 1", "pinhole_binding_changes_total{change=\"bound\"} 1",
            "pinhole_credentials_total{verdict=\"accepted\"} 1", "pinhole_registration_seconds_count 1",
            "pinhole_registration_seconds_bucket{le=\"+Inf\"} 1", "pinhole_commit_seconds_count 1", "pinhole_storage_works 1",
            "pinhole_calls 0", "pinhole_draining 0",
        ] { #expect(lines.contains(line), "\(line)") }
        #expect(try get("/healthz", endpoint).hasSuffix("\r\n\r\nok\n"))
        #expect(try get("/readyz", endpoint).hasSuffix("\r\n\r\nready\n"))
    }

    @Test("a metrics port that is taken is one warning, and the server serves")
    func taken() throws {
        let (first, endpoint) = try server()
        defer { first.stop() }
        let second = try LoopbackTests.Fixture(address: "127.0.0.1") { $0.metrics = endpoint }
        defer { second.stop() }
        let warning = try awaited("the warning") {
            second.events.withLock { events in
                events.compactMap { event in if case .warning(let text) = event { text } else { nil } }.first
            }
        }
        #expect(
            warning == "no metrics: port \(endpoint.port) on 127.0.0.1 is taken by another program (see which with: ss -tlpn "
                + "'sport = :\(endpoint.port)'). Everything else is served; choose another place with --set metrics=127.0.0.1:PORT, "
                + "or say --set metrics=off")
        let identity = PhoneSettings.Identity(user: "100", password: "secret", registrar: "127.0.0.1:\(second.endpointPort)")
        var isRegistered = false
        try runPhone(PhoneSettings(identity: identity, locals: []), at: "127.0.0.1") { phone, status in
            guard status.isRegistered else { return }
            isRegistered = true
            phone.stop()
        }
        #expect(isRegistered && metricsPort(second) == nil)
    }
}
