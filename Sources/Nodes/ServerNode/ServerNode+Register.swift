import Base
import Registrar
import SIP
import SIPStack

/// REGISTER, step by step (RFC 3261 10.3, RFC 5626 6, RFC 3327 5.3).
extension ServerNode {
    mutating func register(_ incoming: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        var request = incoming
        defer { incoming = request }
        let (place, jumps) = attempts.arrive(keys.text(request.callID.bytes), from: request.flow.remote, at: now)
        request.attempt = place
        if !jumps.isEmpty { traces.note(.notice(.portJumps(callID: request.callID, attempts.seen(place)))) }
        // Step 1.
        guard domains.domain(target.host, local: request.flow.local) != nil else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        // Step 3; step 2, extensions, is behind us.
        guard let account = authenticate(&request, at: now) else { return }
        // Steps 4 and 5. Until here an address of record that exists and one that does not looked the same.
        guard case .sip(let aorURI) = request.parts.to.uri,
            let domain = domains.domain(aorURI.host, local: request.flow.local), let user = aorURI.unescapedUser
        else { return refuse(&request, 404, .unknownAOR, at: now) }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        guard account.mayRegister(user: user, domain: domain) else {
            return refuse(&request, 403, .notTheirs(aor, username: account.user), at: now)
        }
        guard !registrar.isFull else { return refuse(&request, 503, .tablesFull, at: now) }
        let registration: Registration
        do throws(Registrar.Refusal) {
            registration = try reader.registration(request, aor, jumps, on: ways.home(request))
        } catch {
            return refuseRegistration(&request, error, at: now)
        }
        remember(request, at: now)
        do throws(Registrar.Refusal) {
            try registrar.register(registration, request, at: now)
            drainRegistrar(at: now)
        } catch {
            drainRegistrar(at: now)
            refuseRegistration(&request, error, at: now)
        }
    }

    private mutating func refuseRegistration(_ request: inout ServerRequest, _ refusal: Registrar.Refusal, at now: Instant) {
        let traced = ServerTrace.Refusal(refusal)
        switch refusal {
        case .tooBrief(_, let shortest):
            var reply = ReplyWriter.Reply(423)
            reply.add("Min-Expires", number: shortest)
            refuse(&request, reply, traced, at: now)
        case .outOfOrder:
            tally.outOfOrder &+= 1
            refuse(&request, ReplyWriter.Reply(500, reason: "CSeq Out Of Order"), traced, at: now)
        case .tooManyContacts: refuse(&request, ReplyWriter.Reply(403, reason: "Too Many Contacts"), traced, at: now)
        case .firstHopLacksOutbound: refuse(&request, 439, traced, at: now)
        case .tablesFull: refuse(&request, 503, traced, at: now)
        case .malformed, .wildcard, .badContact, .manyFlows: refuse(&request, 400, traced, at: now)
        }
    }

    // MARK: What the registrar says

    /// Over which flow a callable binding is called; a connection that is gone is opened anew.
    mutating func way(to binding: Binding, of aor: AddressOfRecord, at now: Instant) -> FlowID? {
        let flow = registrar.way(to: binding, of: aor)
        drainRegistrar(at: now)
        return flow
    }

    mutating func drainRegistrar(at now: Instant) {
        while let output = registrar.nextOutput() {
            switch output {
            case .send(let flow, let bytes, .keepalive): send(bytes, on: flow, .keepalive)
            case .send(let flow, let bytes, .probe): send(bytes, on: flow, .probe)
            case .connect(let flow): outbox.append(.connect(flow))
            case .registered(let registered):
                var request = registered.request
                answer(&request, success(registered, at: now), .registered(bindings: registered.locations.count), at: now)
            case .persist(let sequence, let change): outbox.append(.persist(sequence: sequence, change))
            case .moved(let aor, let former, let flow): if calls.count > 0 { follow(aor, from: former, to: flow) }
            case .changed(let aor): bindingsChanged(aor, at: now)
            case .probed(let aor, let outcomes): outbox.append(.probed(aor: aor, outcomes))
            case .trace(let trace): traces.note(ServerTrace(trace))
            }
        }
    }

    private mutating func success(
        _ registered: Registrar.Registered, at now: Instant
    ) -> ReplyWriter.Reply {
        var reply = ReplyWriter.Reply(200)
        for location in registered.locations {
            let binding = location.binding
            reply.lines.append(static: "Contact: <")
            reply.lines.append(contentsOf: binding.contact)
            reply.lines.append(static: ">")
            reply.lines.append(contentsOf: binding.parameters)
            if binding.q < 1000 {
                reply.lines.append(static: ";q=0.")
                reply.lines.append(contentsOf: [
                    0x30 + UInt8(binding.q / 100), 0x30 + UInt8(binding.q / 10 % 10), 0x30 + UInt8(binding.q % 10),
                ])
            }
            reply.lines.append(static: ";expires=")
            // Rounded up: a fresh binding shows what was granted.
            let left = max(0, (binding.expires - now).wholeNanoseconds)
            reply.lines.append(decimal: UInt64(left / 1_000_000_000 + (left % 1_000_000_000 == 0 ? 0 : 1)))
            reply.lines.append(static: "\r\n")
        }
        writer.addDate(now, to: &reply)
        guard settings.profile == .pinhole else { return reply }
        if !registered.path.isEmpty { reply.add("Path", registered.path) }
        writer.addServiceRoutes(to: &reply)
        reply.add("Supported", ReplyWriter.supported.utf8)
        if registered.usesOutbound {
            reply.add("Require", "outbound".utf8)
            reply.add("Flow-Timer", number: settings.flowTimer)
        }
        return reply
    }
}
