import Base
import Foundation
import Glibc
import MetricsEdge
import Synchronization
import Testing
import Waiting

/// Real sockets on the loopback interface.
@Suite("The metrics port")
struct MetricsServerTests {
    final class Fixture: Sendable {
        let registry = MetricsRegistry()
        let server: MetricsServer
        let endpoint: Endpoint

        init(
            _ settings: MetricsServerSettings = MetricsServerSettings(), _ address: IPAddress = .v4(.loopback),
            ask: @escaping MetricsServer.Ask = { page, answer in
                answer { .init(isGood: page != .readiness, Array("page \(page.rawValue)\n".utf8)) }
            }
        ) throws {
            server = MetricsServer(settings, registry: registry, ask: ask)
            endpoint = try server.listen(at: Endpoint(address, 0))
        }

        deinit { server.stop() }

        func refused(_ reason: String) -> UInt64 {
            let family = registry.families().first { $0.name == "pinhole_metrics_refused_total" }
            guard case .count(let count)? = family?.samples.first(where: { $0.labels == [.init("reason", reason)] })?.value
            else { return .max }
            return count
        }

        /// What the server says to these octets, to the end of the connection.
        func ask(_ text: String, isHalfClosed: Bool = false) throws -> String {
            let client = try TCPClient(endpoint)
            client.send(text)
            if isHalfClosed { client.finish() }
            return client.rest()
        }
    }

    func status(_ answer: String) -> Substring { answer.prefix { $0 != "\r\n" } }
    func body(_ answer: String) -> Substring { answer.range(of: "\r\n\r\n").map { answer[$0.upperBound...] } ?? "" }

    @Test("each page is told, over IPv4 and IPv6; what is not good is 503", arguments: [false, true])
    func pages(isIPv6: Bool) throws {
        let fixture = try Fixture(.init(), isIPv6 ? .v6(.loopback) : .v4(.loopback))
        for (path, line) in [
            ("/metrics", "HTTP/1.1 200 OK"), ("/healthz?verbose=1", "HTTP/1.1 200 OK"),
            ("/readyz", "HTTP/1.1 503 Service Unavailable"),
        ] {
            let answer = try fixture.ask("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(status(answer) == line && body(answer) == "page \(path.prefix { $0 != "?" })\n")
            #expect(answer.contains("Connection: close\r\n") && answer.contains("Cache-Control: no-store\r\n"))
        }
        #expect(status(try fixture.ask("GET /metrics HTTP/1.0\r\n\r\n")).hasSuffix("200 OK"))
        #expect(status(try fixture.ask("GET /metrics HTTP/1.1\r\n\r\n", isHalfClosed: true)).hasSuffix("200 OK"))
    }

    @Test(
        "other requests are refused, each with its reason",
        arguments: [
            ("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "405 Method Not Allowed", "method"),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "method"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", "not-found"),
            ("GET /metrics/../healthz HTTP/1.1\r\n\r\n", "404 Not Found", "not-found"),
            ("GET http://x/metrics HTTP/1.1\r\n\r\n", "404 Not Found", "not-found"),
            ("\u{16}\u{3}\u{1} hello\r\n\r\n", "400 Bad Request", "bad-request"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request", "bad-request"),
            ("GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", "400 Bad Request", "bad-request"),
            (
                "GET /metrics HTTP/1.1\r\nA: \(String(repeating: "a", count: 9_000))\r\n\r\n",
                "431 Request Header Fields Too Large", "head-too-large"
            ),
        ])
    func refusals(request: String, line: String, reason: String) throws {
        let fixture = try Fixture()
        #expect(status(try fixture.ask(request)) == "HTTP/1.1 \(line)")
        #expect(fixture.refused(reason) == 1)
    }

    @Test("a head may have 8 KiB and no octet more", arguments: [0, 1])
    func sizes(excess: Int) throws {
        let fixture = try Fixture()
        let frame = "GET /metrics HTTP/1.1\r\nA: \r\n\r\n".utf8.count
        let filler = String(repeating: "a", count: (8 << 10) - frame + excess)
        let answer = try fixture.ask("GET /metrics HTTP/1.1\r\nA: \(filler)\r\n\r\n")
        #expect(status(answer) == (excess == 0 ? "HTTP/1.1 200 OK" : "HTTP/1.1 431 Request Header Fields Too Large"))
    }

    @Test("what comes after the head is never read: a body of any length, a second request")
    func bodies() throws {
        let fixture = try Fixture()
        let request = "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: "ffff\r\n", count: 50_000)
        #expect(status(try fixture.ask(request)) == "HTTP/1.1 200 OK")
        let twice = try fixture.ask("GET /metrics HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n")
        #expect(twice.components(separatedBy: "HTTP/1.1").count == 2)
    }

    @Test("a head that does not end in time closes the connection")
    func slowHead() throws {
        var settings = MetricsServerSettings()
        settings.headWithin = .milliseconds(50)
        let fixture = try Fixture(settings)
        #expect(try fixture.ask("GET /metrics HTTP/1.1\r\n") == "" && fixture.refused("slow-head") == 1)
        #expect(try fixture.ask("") == "" && fixture.refused("slow-head") == 2)
    }

    @Test("a reader that does not read is closed")
    func slowReader() throws {
        var settings = MetricsServerSettings()
        settings.answerWithin = .milliseconds(50)
        let page = [UInt8](repeating: 0x61, count: 64 << 20)
        let fixture = try Fixture(settings) { _, answer in answer { .init(isGood: true, page) } }
        let client = try TCPClient(fixture.endpoint)
        client.send("GET /metrics HTTP/1.1\r\n\r\n")
        _ = try awaited("the reader to be given up") { fixture.refused("slow-reader") == 1 ? true : nil }
        #expect(client.rest().utf8.count < page.count)
    }

    @Test("a server that does not answer is said to be unwell; its late answer is nobody's")
    func silence() throws {
        var settings = MetricsServerSettings()
        settings.askedWithin = .milliseconds(50)
        let held = Mutex<[@Sendable (@escaping @Sendable () -> MetricsServer.Answer) -> Void]>([])
        let fixture = try Fixture(settings) { _, answer in held.withLock { $0.append(answer) } }
        let answer = try fixture.ask("GET /healthz HTTP/1.1\r\n\r\n")
        #expect(status(answer) == "HTTP/1.1 503 Service Unavailable")
        #expect(body(answer) == "the signalling thread did not answer within 0.05 seconds\n")
        #expect(fixture.refused("no-answer") == 1)
        for answer in held.withLock({ $0 }) {
            answer { .init(isGood: true, []) }
            answer { .init(isGood: true, []) }
        }
    }

    @Test("one connection more than there is room for is closed, and there is room again when one ends")
    func connections() throws {
        var settings = MetricsServerSettings()
        settings.connections = 2
        settings.askedWithin = .seconds(600)
        settings.answerWithin = .seconds(600)
        let held = Mutex<[@Sendable (@escaping @Sendable () -> MetricsServer.Answer) -> Void]>([])
        let fixture = try Fixture(settings) { page, answer in
            if page == .metrics { held.withLock { $0.append(answer) } } else { answer { .init(isGood: true, []) } }
        }
        var clients = [try TCPClient(fixture.endpoint), try TCPClient(fixture.endpoint)]
        clients.forEach { $0.send("GET /metrics HTTP/1.1\r\n\r\n") }
        _ = try awaited("both to be asked for") { held.withLock { $0.count } == 2 ? true : nil }
        #expect(try TCPClient(fixture.endpoint).rest() == "")
        #expect(fixture.refused("too-many-connections") == 1)
        for answer in held.withLock({ $0 }) { answer { .init(isGood: true, []) } }
        for client in clients { #expect(status(client.rest()) == "HTTP/1.1 200 OK") }
        clients.removeAll()
        _ = try awaited("room for one more") {
            let answer = try fixture.ask("GET /healthz HTTP/1.1\r\n\r\n")
            return answer.isEmpty ? nil : answer
        }
    }

    @Test("connections that say nothing keep nobody out: the oldest gives way")
    func silentConnections() throws {
        var settings = MetricsServerSettings()
        settings.connections = 2
        settings.headWithin = .seconds(600)
        let fixture = try Fixture(settings)
        let held = [try TCPClient(fixture.endpoint), try TCPClient(fixture.endpoint)]
        held[0].send("GET /heal")
        #expect(status(try fixture.ask("GET /healthz HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK")
        #expect(held[0].rest() == "")
        #expect(fixture.refused("gave-way") == 1 && fixture.refused("too-many-connections") == 0)
        held[1].send("GET /healthz HTTP/1.1\r\n\r\n")
        #expect(status(held[1].rest()) == "HTTP/1.1 200 OK")
    }

    @Test("a port that is taken is no crash, but EADDRINUSE")
    func taken() throws {
        let fixture = try Fixture()
        let other = MetricsServer(registry: MetricsRegistry()) { _, _ in }
        defer { other.stop() }
        let error = #expect(throws: MetricsServerError.self) { _ = try other.listen(at: fixture.endpoint) }
        #expect(error?.code == EADDRINUSE)
    }
}
