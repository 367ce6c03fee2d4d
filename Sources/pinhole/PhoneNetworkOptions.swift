import ArgumentParser
import Base
import Foundation
import LinuxEdge
import PhoneNode
import Streams

/// How the phone reaches its server, and what it does about NATs.
struct PhoneNetworkOptions: ParsableArguments {
    @Option(help: "udp, tcp or tls (default: what the address says, else udp).")
    var transport: String?

    @Option(help: "Where requests go instead of to the registrar: host, host:port or a SIP URI.")
    var proxy: String?

    @Option(help: ArgumentHelp("STUN server, for SIP and for audio.", valueName: "host[:port]"))
    var stun: String?

    @Option(help: "How often STUN is asked again.")
    var stunInterval = "120s"

    @Option(help: "What keeps the mapping alive: stun, options, crlf or none.")
    var keepalive = "stun"

    @Option(help: "How often.")
    var keepaliveInterval = "25s"

    @Option(help: "Expires asked for.")
    var expires = "1h"

    @Option(
        help: ArgumentHelp(
            "Our address, or address and port (default: the kernel's choice, port 5060 or a free one).",
            valueName: "address[:port]"))
    var local: String?

    @Flag(help: "Leave rport out of Via.")
    var noRport = false

    @Option(help: "modern, or seed: the phone of the 2007 story.")
    var behaviour = "modern"

    @Option(help: ArgumentHelp("DNS server (default: those of /etc/resolv.conf).", valueName: "address[:port]"))
    var dns: [String] = []

    @Option(help: ArgumentHelp("Certificates to believe over TLS, as PEM (default: the system's).", valueName: "file"))
    var tlsTrust: String?

    @Flag(help: "Believe any certificate.")
    var tlsInsecure = false

    var trust: TLSTrust {
        get throws {
            guard let tlsTrust else { return tlsInsecure ? .anyone : .system }
            guard FileManager.default.isReadableFile(atPath: tlsTrust) else {
                throw CommandFailure("--tls-trust: '\(tlsTrust)' cannot be read.")
            }
            return .file(tlsTrust)
        }
    }

    /// - Parameter address: an identity or target as written; `sips:` and `;transport=` count where the option is not given.
    func transport(of address: String) throws -> SIPTransport {
        let lower = address.lowercased()
        let named = lower.range(of: ";transport=").map { String(lower[$0.upperBound...].prefix { $0.isLetter }) }
        switch transport?.lowercased() ?? (lower.hasPrefix("sips:") ? "tls" : named) {
        case nil, "udp": return .udp
        case "tcp": return .tcp
        case "tls": return .tls
        case .some(let other): throw ValidationError("--transport is udp, tcp or tls, found '\(other)'.")
        }
    }

    func apply(to settings: inout PhoneSettings) throws {
        guard let behaviour = PhoneSettings.Behaviour(rawValue: behaviour) else {
            throw ValidationError("--behaviour is modern or seed, found '\(behaviour)'.")
        }
        guard let keepalive = PhoneSettings.Keepalive(rawValue: keepalive) else {
            throw ValidationError("--keepalive is stun, options, crlf or none, found '\(keepalive)'.")
        }
        if let stun {
            guard let server = PhoneSettings.STUNServer(stun) else {
                throw ValidationError("--stun wants a host or host:port, found '\(stun)'.")
            }
            settings.stunServer = server
            if behaviour == .seed {
                settings = .seed(identity: settings.identity, local: settings.locals[0], stunServer: server)
            }
        } else if behaviour == .seed {
            throw ValidationError("The phone of 2007 needs a STUN server: --stun host[:port].")
        }
        settings.keepalive = behaviour == .seed ? .none : keepalive
        settings.stunInterval = try phoneDuration(stunInterval, "--stun-interval")
        settings.keepaliveInterval = try phoneDuration(keepaliveInterval, "--keepalive-interval")
        settings.expires = UInt32(clamping: try phoneDuration(expires, "--expires").wholeSeconds)
        settings.rport = !noRport
        settings.dnsServers = try dns.isEmpty ? Self.systemResolvers() : dns.map(resolver)
    }

    private func resolver(_ text: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) ?? IPAddress(text).map({ Endpoint($0, 53) }) else {
            throw ValidationError("--dns wants an address or address:port, found '\(text)'.")
        }
        return endpoint
    }

    private static func systemResolvers() -> [Endpoint] {
        let text = FileManager.default.contents(atPath: "/etc/resolv.conf").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, words[0] == "nameserver" else { return nil }
            return IPAddress(words[1]).map { Endpoint($0, 53) }
        }
    }

    /// One SIP socket an address family: as asked for, or the addresses the kernel would send from.
    func localEndpoints(towards target: String, _ transport: SIPTransport) throws -> [Endpoint] {
        if let local {
            if let endpoint = Endpoint(local) { return [try Self.freePort(endpoint, transport)] }
            guard let address = IPAddress(local) else {
                throw ValidationError("--local wants an address or address:port, found '\(local)'.")
            }
            return [try Self.freePort(Endpoint(address, 5060), transport)]
        }
        let literal =
            Endpoint(target)?.address
            ?? IPAddress(target.hasPrefix("[") ? String(target.dropFirst().prefix { $0 != "]" }) : target)
        // Without a literal target: where a packet to anywhere would leave, asked with documentation addresses.
        let probes = literal.map { [$0] } ?? [IPAddress("192.0.2.1"), IPAddress("2001:db8::1")].compactMap { $0 }
        let sources = probes.compactMap(KernelRoute.source)
        guard !sources.isEmpty else {
            throw CommandFailure("This machine has no route to \(target). Check its network, or name an address with --local.")
        }
        return try sources.map { try Self.freePort(Endpoint($0, 5060), transport) }
    }

    /// The same endpoint, or the same address with a free port where 5060 is taken.
    private static func freePort(_ wanted: Endpoint, _ transport: SIPTransport) throws -> Endpoint {
        do {
            return try UDPSocket(wanted).local
        } catch {
            guard error.code == EADDRINUSE, wanted.port == 5060 else { throw error }
            return try UDPSocket(Endpoint(wanted.address, 0)).local
        }
    }
}

/// A duration of at least a second.
func phoneDuration(_ text: String, _ option: String) throws -> Duration {
    guard let duration = Duration(text: text), duration >= .seconds(1) else {
        throw ValidationError("\(option) wants a duration such as 30s or 5m, found '\(text)'.")
    }
    return duration
}
