import ArgumentParser
import Base
import Foundation
import PhoneEdge
import PhoneNode

struct PhoneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phone",
        abstract: "A SIP phone for the terminal: registers, makes and takes calls, and says what it sees.",
        discussion: """
            With --call it makes the call, plays and records what it is told to, and its exit status says whether the call worked: 0 it was \
            answered and heard, 1 it could not register or begin, 2 it was refused or nobody answered, 3 it was answered but nothing \
            was heard. With --answer it takes calls. On a terminal the keys work: ? lists them. Ctrl-C hangs up and signs off.
            """)

    @Argument(help: "Who you are: sip:100@example.net, or 100@192.0.2.10:5070. Without it the phone calls without registering.")
    var identity: String?

    @Option(help: "The password; default: $PINHOLE_PASSWORD.")
    var password: String?

    @Option(help: "Name in the digest where it differs from the user.")
    var authUser: String?

    @Option(help: "Name shown to others.")
    var displayName: String?

    @OptionGroup(title: "Calls")
    var calls: PhoneCallOptions

    @OptionGroup(title: "Network")
    var network: PhoneNetworkOptions

    @Flag(help: "Show every SIP message with direction, peer and a line that says what it means.")
    var sipDebug = false

    @Flag(help: "With --sip-debug: digests, SRTP keys, passwords, texts and digits as well. Whoever reads them can use them.")
    var secrets = false

    @Flag(help: "Register, say how it went (with --answer: take one call), sign off and leave; the exit status tells.")
    var once = false

    func run() async throws {
        let settings = try makeSettings()
        let trust = try network.trust
        let session = PhoneSession(
            phone: try PinholePhone(settings, codecs: PhoneCodecs.registry, srtp: PhoneCodecs.srtp, trust: trust),
            plan: try calls.plan(once: once), sipDebug: sipDebug || secrets, showsSecrets: secrets)
        let signals = Interrupts { session.stop() }
        defer { signals.cancel() }
        let status: Int32 = try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread {
                do {
                    done.resume(returning: try session.run())
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
        if status != 0 { throw ExitCode(status) }
    }

    private func makeSettings() throws -> PhoneSettings {
        let (who, isKnown) = try makeIdentity()
        let transport = try network.transport(of: identity ?? calls.call.first ?? "")
        let locals = try network.localEndpoints(towards: who.outboundProxy ?? who.registrar, transport)
        var settings = PhoneSettings(identity: who, locals: locals, transport: transport)
        settings.registers = isKnown
        try network.apply(to: &settings)
        settings.calls = try calls.settings(locals: locals)
        return settings
    }

    /// Who the phone is, and whether it registers.
    private func makeIdentity() throws -> (PhoneSettings.Identity, isKnown: Bool) {
        guard let identity else {
            guard let target = calls.call.first ?? (calls.answer ? "phone@127.0.0.1" : nil) else {
                throw ValidationError("Nothing to do: name an identity to register, a --call to make, or --answer.")
            }
            let (_, server) = try Self.userAndServer(target)
            let user = ProcessInfo.processInfo.environment["USER"] ?? "pinhole"
            return (
                PhoneSettings.Identity(
                    user: user, displayName: displayName, authUser: authUser, password: password ?? "", registrar: server,
                    outboundProxy: network.proxy), false
            )
        }
        let (user, server) = try Self.userAndServer(identity)
        guard let secret = password ?? ProcessInfo.processInfo.environment["PINHOLE_PASSWORD"] else {
            throw ValidationError("No password: give --password, or set PINHOLE_PASSWORD.")
        }
        return (
            PhoneSettings.Identity(
                user: user, displayName: displayName, authUser: authUser, password: secret, registrar: server,
                outboundProxy: network.proxy), true
        )
    }

    private static func userAndServer(_ text: String) throws -> (user: String, server: String) {
        let isURI = text.hasPrefix("sip:") || text.hasPrefix("sips:")
        let bare = isURI ? String(text.drop { $0 != ":" }.dropFirst()) : text
        let parts = bare.split(separator: "@", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("'\(text)' names no user and server; write sip:100@example.net")
        }
        return (parts[0], String(parts[1].prefix { $0 != ";" && $0 != "?" }))
    }
}
