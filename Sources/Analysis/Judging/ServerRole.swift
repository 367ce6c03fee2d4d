import Base
import Capture

/// A server that names its own private address to the world, and how that is mended where its program is known.
struct ServerRole {
    /// `the server 192.0.2.1:5060 (Asterisk PBX 18)`.
    let name: String
    /// How the program is told its public address.
    let remedy: Remedy
    /// Its program is one that is a server, and not only its address that of one.
    let isKnown: Bool

    /// Nil where the sender of a message is no server, as far as is known: neither its program's name nor a registration says so.
    init?(_ step: Step, _ table: SignallingTable) {
        let endpoint = table.endpoints[step.record.source]
        let said = table.text(of: step.record).flatMap { text in
            text.withUnsafeBytes { p -> (program: String, known: Program?)? in
                guard let facts = MessageFacts(p) else { return nil }
                let known = Self.known(facts, p)
                guard known != nil || table.registrars.contains(endpoint.address) else { return nil }
                return (p.string(Self.program(facts)), known)
            }
        }
        guard said != nil || table.registrars.contains(endpoint.address) else { return nil }
        let (program, known) = said ?? ("", nil)
        isKnown = known != nil
        name = "the server \(Judge.name(endpoint))" + (program.isEmpty ? "" : " (\(program.prefix(40)))")
        var remedy = Self.externalAddress
        if let known { (remedy.device, remedy.commands) = (known.name, known.settings) }
        self.remedy = remedy
    }

    /// For a server whose program does not show.
    static var externalAddress: Remedy {
        Remedy(
            .server,
            "Tell the server its public address, for SIP and for audio: it stands behind a NAT and names its own private one.",
            commands: programs.flatMap(\.settings))
    }

    /// Whether a message names a program that is a server; cheap enough to be asked of every call.
    static func isServer(_ facts: MessageFacts, _ p: Bytes) -> Bool { known(facts, p) != nil }

    private static func program(_ facts: MessageFacts) -> Span { facts.server.isEmpty ? facts.userAgent : facts.server }

    private static func known(_ facts: MessageFacts, _ p: Bytes) -> Program? {
        let span = program(facts)
        guard !span.isEmpty else { return nil }
        return programs.first { program in
            program.words.contains { word in
                guard span.count >= word.count else { return false }
                return (span.start...(span.end - word.count)).contains { start in
                    word.indices.allSatisfy { lowered(p[start + $0]) == word[$0] }
                }
            }
        }
    }

    /// How it is told its right address, where it names one that is nobody's.
    func correction(of header: String, from sender: String) -> Remedy {
        Remedy(
            .server,
            "Correct the external or advertised address of the server: its \(header) names another one than \(sender), where it sends from.",
            device: remedy.device, commands: remedy.commands)
    }

    private struct Program {
        var name: String
        var words: [[UInt8]]
        var settings: [String]

        /// `words`: in lower case.
        init(name: String, words: [String], settings: [String]) {
            self.name = name
            self.words = words.map { Array($0.utf8) }
            self.settings = settings
        }
    }

    private static let programs = [
        Program(
            name: "Asterisk", words: ["asterisk", "fpbx", "freepbx", "issabel", "vitalpbx"],
            settings: [
                "Asterisk pjsip, in the transport: external_signaling_address=, external_media_address=, local_net=",
                "Asterisk chan_sip: externaddr=, localnet=",
            ]),
        Program(
            name: "FreeSWITCH", words: ["freeswitch", "fusionpbx"],
            settings: ["FreeSWITCH, in the SIP profile: ext-sip-ip, ext-rtp-ip (auto-nat, or the address)"]),
        Program(
            name: "Kamailio", words: ["kamailio", "opensips", "openser"],
            settings: ["Kamailio: listen=udp:PRIVATE:5060 advertise PUBLIC:5060; rtpengine --interface=PRIVATE!PUBLIC"]),
    ]
}
