import Base
import HEPEdge
import Media
import MetricsEdge
import Relay
import ServerNode
import Streams

/// Everything a running server counts, as metrics. docs/operations.md lists each of them; a test compares.
package struct ServerMetrics {
    package typealias Family = MetricFamily

    package var snapshot = ServerSnapshot()
    package var streams = StreamCounters()
    package var connections = 0
    /// By loop.
    package var media: [MediaCounters] = []
    /// nil: no collector is named.
    package var hep: (counters: HEPCounters, waiting: Int)?
    package var output = OutputState()
    package var software = ""

    package init() {}

    init(
        snapshot: ServerSnapshot, streams: StreamCounters, connections: Int, media: [MediaCounters],
        hep: (counters: HEPCounters, waiting: Int)?, output: OutputState, software: String
    ) {
        self.snapshot = snapshot
        self.streams = streams
        self.connections = connections
        self.media = media
        self.hep = hep
        self.output = output
        self.software = software
    }

    package var families: [Family] { messages + registrations + calls + streamFamilies + mediaFamilies + watching }

    private var messages: [Family] {
        let counters = snapshot.counters
        return [
            count("pinhole_messages_received_total", "Datagrams and messages that came to the SIP ports.", counters.received),
            count("pinhole_message_bytes_received_total", "Bytes of those.", counters.receivedBytes),
            count("pinhole_messages_sent_total", "Datagrams and messages that left the SIP ports.", counters.sent),
            count("pinhole_message_bytes_sent_total", "Bytes of those.", counters.sentBytes),
            count(
                "pinhole_sip_received_total", "SIP messages that came, by kind.", "kind",
                [("request", counters.requests), ("response", counters.responses)]),
            count(
                "pinhole_retransmissions_total", "Copies of requests that drew the answer again, or silence.",
                counters.retransmissionsAbsorbed),
            count("pinhole_stun_requests_total", "STUN requests on the SIP ports.", counters.stunRequests),
            count("pinhole_stream_pings_total", "Keepalives of CRLF over connections.", counters.streamPings),
            count(
                "pinhole_replies_total", "Responses sent, by class of status.", "class",
                [
                    ("1xx", counters.replies1xx), ("2xx", counters.replies2xx), ("3xx", counters.replies3xx),
                    ("4xx", counters.replies4xx), ("5xx", counters.replies5xx),
                ]),
            count(
                "pinhole_refused_total", "Requests refused other than by a challenge, by reason.", "reason",
                RefusalReason.allCases.map { (Self.word("\($0)"), counters[refused: $0]) }),
            count(
                "pinhole_dropped_total", "Messages thrown away without an answer, by reason.", "reason",
                DropReason.allCases.map { (Self.word("\($0)"), counters[dropped: $0]) }),
            count(
                "pinhole_evictions_total", "Entries that gave way because a table was full, by table.", "table",
                [
                    ("transactions", counters.transactionsEvicted), ("attempts", counters.attemptsEvicted),
                    ("sources", counters.sourceTablesTurned),
                ]),
        ]
    }

    private var registrations: [Family] {
        let counters = snapshot.counters
        return [
            count("pinhole_challenges_total", "Challenges sent (401 and 407).", counters.challenges),
            count(
                "pinhole_credentials_total", "Credentials that came, by verdict.", "verdict",
                [
                    ("accepted", counters.accepted), ("stale", counters.stale), ("wrong-password", counters.wrongPassword),
                    ("mangled", counters.mangled), ("replayed", counters.replayed), ("not-looked-at", counters.guessesRefused),
                ]),
            count(
                "pinhole_binding_changes_total", "What became of bindings, by change; moved ones are also refreshed.", "change",
                [
                    ("bound", counters.bound), ("refreshed", counters.refreshed), ("moved", counters.moved),
                    ("unbound", counters.unbound), ("expired", counters.expired),
                ]),
            count("pinhole_out_of_order_total", "Requests older than what was known already.", counters.outOfOrder),
            Family(
                "pinhole_registration_seconds", .histogram, "From a REGISTER's arrival to its 200, its commit included.",
                [.init([], .histogram(counters.registrationTimes))]),
            count("pinhole_commits_total", "Commits of bindings that were reported.", counters.commits),
            count("pinhole_commits_failed_total", "Commits of bindings that failed.", counters.commitsFailed),
            count(
                "pinhole_registered_unstored_total", "Registrations answered although nothing could be stored.",
                counters.registeredUnstored),
            count(
                "pinhole_keepalives_total", "OPTIONS to phones, by what became of them.", "outcome",
                [
                    ("sent", counters.keepalivesSent), ("answered", counters.keepalivesAnswered),
                    ("unanswered", counters.keepalivesUnanswered), ("postponed", counters.keepalivesPostponed),
                ]),
            count("pinhole_flows_died_total", "Flows over which a phone stopped answering.", counters.flowsDied),
            count("pinhole_flows_revived_total", "Flows over which one answered again.", counters.flowsRevived),
            count("pinhole_probes_total", "Questions to phones that somebody asked for.", counters.probes),
            gauge("pinhole_bindings", "Bindings there are.", snapshot.bindings),
            gauge("pinhole_commits_pending", "Changes of bindings whose commit is awaited.", snapshot.pendingCommits),
            gauge("pinhole_storage_works", "1 where what is registered can be stored.", snapshot.storageWorks ? 1 : 0),
        ]
    }

    private var calls: [Family] {
        let (counters, usage) = (snapshot.counters, snapshot.usage)
        return [
            count(
                "pinhole_calls_started_total", "Calls for which a phone was rung, or a service answered.", counters.callsStarted),
            count("pinhole_calls_answered_total", "Calls that were answered.", counters.callsAnswered),
            count("pinhole_calls_ended_total", "Calls with a record.", counters.callsEnded),
            count("pinhole_transfers_total", "Calls transferred.", counters.transfers),
            count(
                "pinhole_call_troubles_total", "What went wrong with calls, by reason.", "reason",
                [
                    ("unacknowledged", counters.callsUnacknowledged), ("session-expired", counters.sessionsExpired),
                    ("table-full", counters.callTablesFull), ("no-media-port", counters.callsWithoutPort),
                    ("look-up-overdue", counters.lookUpsOverdue), ("verdict-missing", counters.verdictsMissing),
                    ("glare", counters.glares), ("challenged-by-phone", counters.challengesRefused),
                ]),
            count(
                "pinhole_media_elsewhere_total", "SDPs that named a place which is not the phone's.", counters.mediaElsewhere),
            gauge("pinhole_calls", "Calls there are.", usage.calls),
            gauge("pinhole_dialogs", "Dialogs of calls and subscriptions.", usage.tags),
            gauge("pinhole_media_ports", "Media ports in use.", usage.ports),
            gauge("pinhole_subscriptions", "Subscriptions there are.", usage.subscriptions),
            gauge("pinhole_deliveries", "Texts on their way (MESSAGE).", usage.deliveries),
            gauge("pinhole_lookups", "Look-ups of whom to ring that are under way.", usage.lookUps),
            Family(
                "pinhole_transactions", .gauge, "Transactions that are under way or absorb late copies, by side.",
                [
                    .init([.init("side", "client")], .count(UInt64(usage.clientTransactions))),
                    .init([.init("side", "server")], .count(UInt64(usage.serverTransactions))),
                ]),
        ]
    }

    private var streamFamilies: [Family] {
        [
            count("pinhole_connections_accepted_total", "TCP connections accepted.", streams.accepted),
            count(
                "pinhole_connections_refused_total", "Connections closed at once, by reason.", "reason",
                [("full", streams.refusedFull), ("address", streams.refusedAddress), ("origin", streams.foreignOrigins)]),
            count(
                "pinhole_connections_closed_total", "Connections closed for what the peer did or did not do, by reason.",
                "reason",
                [
                    ("gave-way", streams.gaveWay), ("unproved", streams.unproved), ("slow-message", streams.tooSlow),
                    ("slow-reader", streams.slowReaders), ("unintelligible", streams.unintelligible),
                ]),
            count("pinhole_accept_pauses_total", "Pauses because no descriptor was left.", streams.acceptPauses),
            count("pinhole_read_pauses_total", "Pauses because the signalling thread was behind.", streams.pauses),
            count("pinhole_unsendable_total", "Messages for connections that were gone.", streams.unsendable),
            gauge("pinhole_connections", "Connections there are, handshakes included.", connections),
        ]
    }

    private var mediaFamilies: [Family] {
        [
            loops("pinhole_media_received_total", .counter, "Datagrams that came to media ports.") { .count($0.received) },
            loops("pinhole_media_forwarded_total", .counter, "Datagrams passed from one party to another.") {
                .count($0.forwarded)
            },
            loops("pinhole_media_sent_total", .counter, "Datagrams of our own: sound, reports, answers.") { .count($0.sent) },
            loops("pinhole_media_send_failures_total", .counter, "Datagrams that the kernel did not take.") {
                .count($0.sendFailures)
            },
            Family(
                "pinhole_media_dropped_total", .counter, "Datagrams on media ports that went nowhere, by reason.",
                media.enumerated().flatMap { index, counters in
                    MediaDrop.allCases.map { reason in
                        let count = reason.rawValue < counters.drops.count ? counters.drops[Int(reason.rawValue)] : 0
                        return .init(
                            [.init("loop", "\(index)"), .init("reason", Self.word("\(reason)"))], .count(count))
                    }
                }),
            loops("pinhole_media_cpu_seconds_total", .counter, "CPU time of media threads.") { .number($0.cpu / .seconds(1)) },
            loops("pinhole_media_round_seconds", .histogram, "How long media threads were busy before they waited again.") {
                .histogram($0.rounds)
            },
            loops("pinhole_streams", .gauge, "Media streams that are open.") { .count(UInt64($0.legs)) },
            loops("pinhole_rooms", .gauge, "Rooms with somebody in them.") { .count(UInt64($0.rooms)) },
            gauge(
                "pinhole_media_commands_waiting", "What media threads are to be told and had no room for.",
                snapshot.commandsWaiting),
        ]
    }

    private var watching: [Family] {
        let counters = hep?.counters ?? HEPCounters()
        return [
            count(
                "pinhole_hep_sent_total", "HEP packets sent, by what they carry.", "kind",
                [("sip", counters.sip), ("rtcp", counters.rtcp), ("verdict", counters.verdicts)]),
            count(
                "pinhole_hep_lost_total", "What the HEP collector was not told, by reason.", "reason",
                [
                    ("queue-full", counters.queueFull), ("buffer-full", counters.bufferFull), ("unsent", counters.unsent),
                    ("refused", counters.refused), ("too-large", counters.tooLarge),
                ]),
            gauge("pinhole_hep_waiting", "What waits to be told to the HEP collector.", hep?.waiting ?? 0),
            count("pinhole_output_lines_lost_total", "Lines of output that could not be written.", output.lost),
            gauge("pinhole_output_lines_waiting", "What is to be written to the log yet.", output.waiting),
            gauge("pinhole_draining", "1 where the server is about to end.", snapshot.isDraining ? 1 : 0),
            Family(
                "pinhole_info", .gauge, "1; what the server calls itself.",
                [.init([.init("software", software)], .count(1))]),
        ]
    }

    private func count(_ name: String, _ help: String, _ value: UInt64) -> Family {
        Family(name, .counter, help, [.init([], .count(value))])
    }

    private func count(_ name: String, _ help: String, _ label: String, _ values: [(String, UInt64)]) -> Family {
        Family(name, .counter, help, values.map { .init([.init(label, $0.0)], .count($0.1)) })
    }

    private func gauge(_ name: String, _ help: String, _ value: Int) -> Family {
        Family(name, .gauge, help, [.init([], .number(Double(value)))])
    }

    private func loops(
        _ name: String, _ kind: Family.Kind, _ help: String, _ value: (MediaCounters) -> Family.Value
    ) -> Family {
        Family(
            name, kind, help, media.enumerated().map { .init([.init("loop", "\($0.offset)")], value($0.element)) })
    }

    /// `crlfOverUDP` -> `crlf-over-udp`.
    static func word(_ name: String) -> String {
        var word = ""
        var wasLower = false
        for character in name {
            if character.isUppercase, wasLower { word += "-" }
            wasLower = !character.isUppercase
            word += character.lowercased()
        }
        return word
    }
}
