import ArgumentParser
import Base
import Foundation
import LinuxEdge
import PhoneEdge
import PhoneNode

struct PhoneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phone",
        abstract: "A SIP phone for the terminal: registers, stays registered, and says what it sees. Ctrl-C signs off.")

    @Argument(help: "Who you are: sip:100@example.net, or 100@192.0.2.10:5070.")
    var identity: String

    @Option(help: "The password; default: $PINHOLE_PASSWORD.")
    var password: String?

    @Option(help: "Name in the digest where it differs from the user.")
    var authUser: String?

    @Option(help: "Name shown to others.")
    var displayName: String?

    @Option(help: "Where requests go instead of to the registrar: host, host:port or a SIP URI.")
    var proxy: String?

    @Option(help: ArgumentHelp("STUN server.", valueName: "host[:port]"))
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

    @Flag(help: "Show every SIP message with direction, peer and a line that says what it means.")
    var sipDebug = false

    @Flag(help: "Register, say how it went, sign off and leave; the exit status tells.")
    var once = false

    func run() async throws {
        let settings = try makeSettings()
        let phone = try PinholePhone(settings)
        let signals = Interrupts { phone.stop() }
        defer { signals.cancel() }
        let (once, sipDebug) = (once, sipDebug)
        let registered: Bool = try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread {
                do {
                    done.resume(returning: try Self.drive(phone, once: once, sipDebug: sipDebug))
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
        if once, !registered { throw ExitCode(1) }
    }

    /// Runs the phone until it has signed off; true if it was registered at some time.
    private static func drive(_ phone: PinholePhone, once: Bool, sipDebug: Bool) throws -> Bool {
        let printer = PhonePrinter(name: phone.settings.identity.user, sipDebug: sipDebug)
        var wasRegistered = false
        try phone.run { now, event in
            printer.print(event, at: now)
            guard case .status(let status) = event else { return }
            wasRegistered = wasRegistered || status.isRegistered
            if once, status.isRegistered || status.isFailure { phone.stop() }
        }
        return wasRegistered
    }

    private func makeSettings() throws -> PhoneSettings {
        let text =
            identity.hasPrefix("sip:") || identity.hasPrefix("sips:") ? String(identity.drop { $0 != ":" }.dropFirst()) : identity
        let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("'\(identity)' names no user and server; write sip:100@example.net")
        }
        guard let secret = password ?? ProcessInfo.processInfo.environment["PINHOLE_PASSWORD"] else {
            throw ValidationError("No password: give --password, or set PINHOLE_PASSWORD.")
        }
        let who = PhoneSettings.Identity(
            user: parts[0], displayName: displayName, authUser: authUser, password: secret, registrar: parts[1],
            outboundProxy: proxy)
        let locals = try localEndpoints(towards: proxy ?? parts[1])
        var settings = PhoneSettings(identity: who, locals: locals)
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
            if behaviour == .seed { settings = .seed(identity: who, local: locals[0], stunServer: server) }
        } else if behaviour == .seed {
            throw ValidationError("The phone of 2007 needs a STUN server: --stun host[:port].")
        }
        settings.keepalive = behaviour == .seed ? .none : keepalive
        settings.stunInterval = try duration(stunInterval, "--stun-interval")
        settings.keepaliveInterval = try duration(keepaliveInterval, "--keepalive-interval")
        settings.expires = UInt32(clamping: try duration(expires, "--expires").wholeSeconds)
        settings.rport = !noRport
        settings.dnsServers = try dns.isEmpty ? Self.systemResolvers() : dns.map(resolver)
        return settings
    }

    private func duration(_ text: String, _ option: String) throws -> Duration {
        guard let duration = Duration(text: text), duration >= .seconds(1) else {
            throw ValidationError("\(option) wants a duration such as 30s or 5m, found '\(text)'.")
        }
        return duration
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
    private func localEndpoints(towards target: String) throws -> [Endpoint] {
        if let local {
            if let endpoint = Endpoint(local) { return [try Self.freePort(endpoint)] }
            guard let address = IPAddress(local) else {
                throw ValidationError("--local wants an address or address:port, found '\(local)'.")
            }
            return [try Self.freePort(Endpoint(address, 5060))]
        }
        let literal =
            Endpoint(target)?.address
            ?? IPAddress(target.hasPrefix("[") ? String(target.dropFirst().prefix { $0 != "]" }) : target)
        // Without a literal target: where a packet to anywhere would leave, asked with documentation addresses.
        let probes = literal.map { [$0] } ?? [IPAddress("192.0.2.1"), IPAddress("2001:db8::1")].compactMap { $0 }
        let sources = probes.compactMap(KernelRoute.source)
        guard !sources.isEmpty else {
            throw ValidationError("This machine has no route to \(target). Check its network, or name an address with --local.")
        }
        return try sources.map { try Self.freePort(Endpoint($0, 5060)) }
    }

    /// The same endpoint, or the same address with a free port where 5060 is taken.
    private static func freePort(_ wanted: Endpoint) throws -> Endpoint {
        do {
            return try UDPSocket(wanted).local
        } catch {
            guard error.code == EADDRINUSE, wanted.port == 5060 else { throw error }
            return try UDPSocket(Endpoint(wanted.address, 0)).local
        }
    }
}
