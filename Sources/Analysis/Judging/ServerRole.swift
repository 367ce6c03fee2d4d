import Base
import Capture

/// A server that names its own private address to the world, and how that is mended where its program is known.
struct ServerRole {
    /// `the server 192.0.2.1:5060 (Asterisk PBX 18)`.
    let name: String
    /// How the program is told its public address.
    let remedy: Remedy

    /// Nil where the sender of a message is no server, as far as is known: neither its program's name nor a registration says so.
    init?(_ step: Step, _ table: SignallingTable) {
        let endpoint = table.endpoints[step.record.source]
        let fields = Judge.bytes(step, table).map { MessageExcerpt.fields($0) } ?? []
        let program = fields.first { $0.name == "Server" || $0.name == "User-Agent" }?.value ?? ""
        let lower = program.lowercased()
        let known = Self.programs.first { entry in entry.words.contains { lower.contains($0) } }
        guard known != nil || table.registrars.contains(endpoint.address) else { return nil }
        name = "the server \(Judge.name(endpoint))" + (program.isEmpty ? "" : " (\(program.prefix(40)))")
        remedy = Remedy(
            .server,
            "Tell the server its public address, for SIP and for audio: it stands behind a NAT and names its own private one.",
            device: known?.name, commands: known?.settings ?? Self.programs.flatMap(\.settings))
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
        var words: [String]
        var settings: [String]
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
