import ALG
import Base
import Lab
import NAT
import PhoneNode
import RegistrationClient
import RouterNode
import SIP
import ServerNode
import ShowText
import VirtualNetwork

/// A ladder drawn from a world's records: phones left, servers right, routers between.
public struct LabLadder: Sendable {
    public struct Options: Hashable, Sendable {
        /// OPTIONS that only keep mappings alive, and their answers.
        public var showsKeepalives = false
        /// STUN questions whose answer is what it was before.
        public var showsSteadySTUN = false
        /// Only how the first attempt went, each message as one arrow from box to box (`brief`).
        public var isBrief = false
        /// Events beyond which the rest is only counted.
        public var mostEvents = 400

        public init() {}
    }

    public private(set) var ladder: Ladder
    /// Events left out at the end; messages, where it is brief.
    public private(set) var omitted = 0

    private let world: LabWorld
    private let start: Instant
    private let options: Options
    private var columns: [BoxID: Int] = [:]
    private var lastMapped: [BoxID: Endpoint] = [:]
    private var lastPanel: [BoxID: String] = [:]
    private var stunAsked: [BoxID: Ladder.Event] = [:]
    /// What phones speak SIP from: mappings of other sockets are of no interest here.
    private var sipSockets: Set<Endpoint> = []
    /// Told by a server before the message that it is about.
    private var notices: [(Instant, ServerTrace.Notice, Int)] = []
    private var events: [(order: Int, event: Ladder.Event)] = []

    /// `world`: whose records they are; `start`: from when time is counted.
    public init(_ records: [LabRecord], of world: LabWorld, from start: Instant, _ options: Options = Options()) {
        self.world = world
        self.start = start
        self.options = options
        ladder = Ladder([])
        let order: [BoxKind] = [.phone, .router, .server, .stunServer, .nameServer]
        let boxes = order.flatMap { kind in world.boxes.filter { world.kind(of: $0) == kind } }
        for (index, box) in boxes.enumerated() { columns[box] = index }
        for case .phone(.sent(let message)) in records.map(\.trace) { sipSockets.insert(message.local) }
        let brief = options.isBrief ? Self.brief(records) : nil
        for record in brief?.kept ?? records {
            add(record)
            if let first = notices.first, record.at > first.0 { tellNotices() }
        }
        tellNotices()
        let sorted = events.sorted { ($0.event.at, $0.order) < ($1.event.at, $1.order) }.map(\.event)
        omitted = brief?.omitted ?? max(0, sorted.count - options.mostEvents)
        ladder = Self.withoutIdle(boxes.map { world.name(of: $0) }, Array(sorted.prefix(options.mostEvents)))
    }

    public func text(_ style: ReportStyle = .plain) -> String {
        let what = options.isBrief ? "message" : "event"
        let more = "\(omitted) more \(what)s follow."
        return ladder.text(style) + (omitted > 0 ? style.paint(more, .dim) + "\n" : "")
    }

    /// Columns in which nothing happens are left out.
    private static func withoutIdle(_ names: [String], _ events: [Ladder.Event]) -> Ladder {
        var used = Set<Int>()
        for event in events {
            switch event.kind {
            case .arrow(let from, let to, _), .lost(let from, let to, _): used.formUnion([from, to])
            case .mark(let at): used.insert(at)
            case .heading: break
            }
        }
        let kept = names.indices.filter(used.contains)
        var places: [Int: Int] = [:]
        for (new, old) in kept.enumerated() { places[old] = new }
        let moved = events.map { event -> Ladder.Event in
            var event = event
            switch event.kind {
            case .arrow(let from, let to, let label):
                event.kind = .arrow(from: places[from] ?? 0, to: places[to] ?? 0, label: label)
            case .lost(let from, let to, let label):
                event.kind = .lost(from: places[from] ?? 0, to: places[to] ?? 0, label: label)
            case .mark(let at): event.kind = .mark(at: places[at] ?? 0)
            case .heading: break
            }
            return event
        }
        return Ladder(kept.map { names[$0] }, moved)
    }

    private mutating func note(_ event: Ladder.Event) { events.append((events.count, event)) }

    mutating func note(
        _ at: Instant, _ kind: Ladder.Event.Kind, _ remark: String = "", _ tone: ReportTone? = nil, brief: String? = nil
    ) {
        note(Ladder.Event(at - start, kind, Self.shortened(remark), tone, brief: brief))
    }

    /// Nonces and Call-IDs of dozens of digits are told apart by their first eight.
    static func shortened(_ text: String) -> String {
        var result = ""
        var run = ""
        func flushed() -> String { run.count >= 20 && run.allSatisfy(\.isHexDigit) ? run.prefix(8) + ".." : run }
        for character in text {
            if character.isASCII, character.isHexDigit {
                run.append(character)
            } else {
                result += flushed()
                run = ""
                result.append(character)
            }
        }
        return result + flushed()
    }

    private mutating func add(_ record: LabRecord) {
        let column = record.box.flatMap { columns[$0] }
        switch record.trace {
        case .phone(let trace): if let box = record.box { add(trace, box, record.at) }
        case .server(let trace): if let column { add(trace, column, record.at) }
        case .router(let trace): if let column { add(trace, column, record.at) }
        case .status(let status):
            guard let box = record.box, let column, lastPanel[box] != status.panel else { return }
            lastPanel[box] = status.panel
            note(record.at, .mark(at: column), "the panel says \"\(status.panel)\"", PhonePanel.tone(status))
        case .text(let text):
            guard let column else { return }
            // The prompt that waits for the next line says nothing.
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            while let last = lines.last, last.isEmpty || last.hasSuffix("=>") { lines.removeLast() }
            if !lines.isEmpty { note(record.at, .mark(at: column), lines.joined(separator: "\n"), .accent) }
        case .probed(_, let outcomes):
            guard let column else { return }
            for outcome in outcomes {
                let way = outcome.isAnswered ? "an inbound request is answered by" : "an inbound request does not reach"
                note(record.at, .mark(at: column), "\(way) \(outcome.flow.remote)", outcome.isAnswered ? .good : .bad)
            }
        case .network(.dropped(let link, _, let drop, _)):
            guard let text = Self.text(drop) else { return }
            note(record.at, .heading("on link \(world.network.name(of: link)): \(text)"), "", .bad)
        case .network(.linkChanged(let link, let isUp)):
            note(
                record.at, .heading("link \(world.network.name(of: link)) goes \(isUp ? "up" : "down")"), "", isUp ? .good : .bad)
        case .did(let action): if let text = text(action) { note(record.at, .heading(text)) }
        case .call(_, let event): if let column { tell(event, column, record.at) }
        case .media(let event): if let column { tell(event, column, record.at) }
        case .mediaDropped(let drop, let from, let port):
            if let column {
                note(record.at, .mark(at: column), "a packet from \(from) to media port \(port): \(drop.reason)", .dim)
            }
        case .network, .host, .stunAnswered, .nameAnswered, .recorded: break
        }
    }

    // MARK: Phones

    private mutating func add(_ trace: PhoneTrace, _ box: BoxID, _ at: Instant) {
        guard let column = columns[box] else { return }
        switch trace {
        case .sent(let message):
            guard options.showsKeepalives || !Self.isKeepalive(message.meaning), let next = nextHop(box, message.remote) else {
                return
            }
            note(at, .arrow(from: column, to: next, label: Self.label(message.bytes)), message.meaning.text)
        case .received(let message):
            guard options.showsKeepalives || !Self.isKeepalive(message.meaning), let from = nextHop(box, message.remote) else {
                return
            }
            note(
                at, .arrow(from: from, to: column, label: Self.label(message.bytes)), message.meaning.text,
                Self.tone(message.meaning))
        case .stunAsked(.sip, let local, let server):
            guard let to = owner(server.address).flatMap({ columns[$0] }) else { return }
            stunAsked[box] = Ladder.Event(
                at - start, .arrow(from: column, to: to, label: "STUN"), "how does the world see \(local)?", .dim)
        case .stunObserved(.sip, _, let server, let mapped):
            let asked = stunAsked.removeValue(forKey: box)
            guard options.showsSteadySTUN || lastMapped[box] != mapped else { return }
            lastMapped[box] = mapped
            if let asked { note(asked) }
            guard let from = owner(server.address).flatMap({ columns[$0] }) else { return }
            note(at, .arrow(from: from, to: column, label: "STUN :\(mapped.port)"), "STUN sees the phone at \(mapped)", .accent)
        case .stunSilent(.sip, _), .stunRefused(.sip, _, _):
            if let asked = stunAsked.removeValue(forKey: box) { note(asked) }
            note(at, .mark(at: column), trace.text, .bad)
        case .decided(.failsOver), .decided(.adoptsContact), .decided(.keepsContact), .decided(.settlesOnRegistrar),
            .decided(.keepaliveFallsBack), .decided(.flowFailed), .decided(.sentByChanges), .notFound:
            note(at, .mark(at: column), trace.text)
        case .stunAsked, .stunObserved, .stunSilent, .stunRefused, .crlfSent, .lookingUp, .found, .decided, .call, .connects,
            .connectionLost, .dropped:
            break
        }
    }

    /// The box at the near end of a phone's way to `remote`: the router before it, or the peer itself.
    private func nextHop(_ phone: BoxID, _ remote: Endpoint) -> Int? {
        if !options.isBrief, let router = world.gateway(of: phone) { return columns[router] }
        return owner(remote.address).flatMap { columns[$0] }
    }

    /// The one phone behind a router, or the box itself.
    private func sender(behind box: BoxID) -> BoxID {
        let phones = world.boxes.filter { world.kind(of: $0) == .phone && world.gateway(of: $0) == box }
        return phones.count == 1 ? phones[0] : box
    }

    private func owner(_ address: IPAddress) -> BoxID? { world.boxes.first { world.addresses(of: $0).contains(address) } }

    static func isKeepalive(_ meaning: SIPMeaning) -> Bool {
        switch meaning {
        case .keepaliveOptions, .keepaliveAnswered: true
        case .request(let method), .repeatedRequest(let method), .answers(_, let method): method == "OPTIONS"
        default: false
        }
    }

    private static func tone(_ meaning: SIPMeaning) -> ReportTone? {
        switch meaning {
        case .registered: .good
        case .staleChallenge, .credentialsRefused, .challengeUnsupported, .refused: .bad
        case .challengeIgnored: .warning
        default: nil
        }
    }

    // MARK: Servers

    private mutating func add(_ trace: ServerTrace, _ column: Int, _ at: Instant) {
        switch trace {
        case .received(let flow, let message, let meaning):
            guard options.showsKeepalives || meaning != .keepaliveAnswer,
                let from = owner(flow.remote.address).flatMap({ columns[options.isBrief ? sender(behind: $0) : $0] })
            else { return }
            note(
                at, .arrow(from: from, to: column, label: "\(Self.label(message)) :\(flow.remote.port)"), meaning.text,
                Self.tone(meaning), brief: "\(Self.label(message, isBrief: true)) :\(flow.remote.port)")
            tellNotices()
        case .sent(let flow, let message, let meaning):
            guard options.showsKeepalives || meaning != .keepalive else { return }
            let label = "\(Self.label(message)) :\(flow.remote.port)"
            guard let to = owner(flow.remote.address).flatMap({ columns[$0] }) else {
                return note(at, .mark(at: column), "\(label) of \(flow.remote.address), whom nobody here knows", .bad)
            }
            note(
                at, .arrow(from: column, to: to, label: label), meaning.text, Self.tone(meaning),
                brief: "\(Self.label(message, isBrief: true)) :\(flow.remote.port)")
        case .authentication(let authentication):
            switch authentication.verdict {
            case .stale, .replayed, .wrongPassword, .mangled: note(at, .mark(at: column), trace.text, .warning)
            case .accepted, .absent: break
            }
        case .bound(_, _, .refreshed): break
        case .bound(let aor, let binding, _):
            note(
                at, .mark(at: column),
                "\(aor): \(String(decoding: binding.contact, as: UTF8.self)), reached at \(binding.flow.remote)", .good)
        case .unbound, .flowRevived, .commitFailed, .storageWorks, .restored: note(at, .mark(at: column), trace.text)
        case .flowDead: note(at, .mark(at: column), trace.text, .bad)
        case .notice(let notice): notices.append((at, notice, column))
        case .challenged, .keepalive, .probed, .refused, .dropped, .stunAnswered, .call: break
        }
    }

    /// What a server noticed about a message comes after that message.
    private mutating func tellNotices() {
        for (at, notice, column) in notices {
            switch notice {
            case .portJumps(_, let seen):
                let ports = seen.suffix(4).map { "\($0.endpoint.port)" }.joined(separator: ", ")
                note(at, .mark(at: column), "the source port of this Call-ID jumps: \(ports)", .warning)
            case .path(_, let verdict, _):
                if !verdict.isStraight { note(at, .mark(at: column), verdict.text, .warning) }
            case .largeReply, .tableFull, .guessed, .opens, .contactElsewhere:
                note(at, .mark(at: column), ServerTrace.notice(notice).text, .warning)
            }
        }
        notices = []
    }

    private static func tone(_ meaning: ServerTrace.Meaning) -> ReportTone? {
        switch meaning {
        case .answers(_, .accepted), .credentials(.accepted), .signed(.accepted), .registered, .probeAnswer: .good
        case .answers, .credentials, .signed, .staleChallenge: .warning
        case .refusal: .bad
        default: nil
        }
    }

    // MARK: Routers

    private mutating func add(_ trace: RouterTrace, _ column: Int, _ at: Instant) {
        switch trace {
        case .nat(.created(let mapping)):
            guard mapping.proto == .udp, sipSockets.contains(mapping.internal) else { return }
            let towards = mapping.remote.map { " for \($0)" } ?? ""
            note(at, .mark(at: column), "new mapping \(mapping.internal) to :\(mapping.external.port)\(towards)", .dim)
        case .nat(.rebooted(let lost)): note(at, .mark(at: column), "\(lost) mappings are forgotten", .bad)
        case .nat(.dropped(let reason, .inbound, _, let from, let to)):
            note(at, .mark(at: column), "drops a packet from \(from) to \(to): \(Self.text(reason))", .bad)
        case .alg(.tookMapping(let external, let isFresh, let busy)):
            let others = busy == 0 ? "" : "; \(busy) other\(busy == 1 ? " is" : "s are") in use"
            note(
                at, .mark(at: column),
                "the ALG gives this request \(isFresh ? "a fresh mapping" : "the mapping"), :\(external.port)\(others)")
        case .alg(.rewrote(let rewrite, _, _)): rewrote(rewrite, column, at)
        case .alg(.held(let until, _)):
            note(at, .mark(at: column), "the ALG holds this back for \((until - at).wholeMilliseconds) ms", .warning)
        case .alg(.dropped(let reason, _, _)): note(at, .mark(at: column), "the ALG drops a message: \(reason.text)", .bad)
        case .alg(.redirected(let to, _)): note(at, .mark(at: column), "the ALG sends the answer to \(to), as Via says")
        case .rebooting: note(at, .mark(at: column), "the router reboots", .bad)
        case .up: note(at, .mark(at: column), "the router is up again", .good)
        case .algSwitched(let isOn):
            note(at, .mark(at: column), "the SIP ALG is \(isOn ? "on" : "off") now", isOn ? .warning : .good)
        case .nat, .alg, .dropped, .errorWithheld, .released, .command, .dhcp, .dns, .portControl, .outsideDHCP: break
        }
    }

    /// All rewrites of one message make one remark.
    private mutating func rewrote(_ rewrite: ALGRewrite, _ column: Int, _ at: Instant) {
        let head = "the ALG rewrites "
        let last = events.count - 1
        if last >= 0, events[last].event.at == at - start, events[last].event.kind == .mark(at: column),
            events[last].event.remark.hasPrefix(head)
        {
            events[last].event.remark += ", \(rewrite.field.title)"
        } else {
            note(at, .mark(at: column), head + rewrite.field.title, .warning)
        }
    }

    // MARK: In words

    private func text(_ action: LabAction) -> String? {
        switch action {
        case .command(let box, let line): "at \(world.name(of: box))'s prompt: \(line)"
        case .reboot(let box): "\(world.name(of: box)) loses power"
        case .properties(let link, _): "link \(world.network.name(of: link)) changes"
        case .start(let box): "\(world.name(of: box)) is switched on"
        case .stop(let box): "\(world.name(of: box)) is told to sign off"
        case .probe(_, let aor): "an inbound request for \(aor)"
        case .phone(let box, let input): Self.text(input).map { "\(world.name(of: box)) \($0)" }
        case .note(let note): note
        case .link: nil
        }
    }

    private static func text(_ drop: NetworkDrop) -> String? {
        switch drop {
        case .lost: "a packet is lost"
        case .linkDown: "a packet finds the link down"
        case .cut: "a packet is cut off"
        case .capacity: "a packet finds no room"
        case .noNeighbour(let address): "a packet for \(address), which nobody has"
        case .tooBig(let mtu): "a packet larger than \(mtu) bytes"
        case .malformed: nil
        }
    }

    private static func text(_ reason: NATDropReason) -> String {
        switch reason {
        case .noMapping: "no such mapping"
        case .filtered: "the filter does not let it in"
        case .noFreePort: "no port is free"
        case .mappingLimit, .hostLimit: "too many mappings"
        case .hairpinningOff: "no hairpinning here"
        default: "\(reason)"
        }
    }

    private static func label(_ bytes: [UInt8]) -> String {
        (try? SIPMessage(salvaging: bytes)).map { label($0) } ?? "?"
    }

    private static func label(_ message: SIPMessage, isBrief: Bool = false) -> String {
        switch message.startLine {
        case .request(let method, _):
            "\(isBrief ? String("\(method)".prefix(3)) : "\(method)") \((try? message.cseq.number).map { String($0) } ?? "")"
        case .response(let status, _): "\(status)"
        }
    }
}
