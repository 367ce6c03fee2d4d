import Base
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// What moves between the boxes and the network: each box's outputs are fetched right after it was told something.
extension LabWorld {
    mutating func drainNetwork() {
        drainNetworkTraces()
        while case .packet(let interface, let bytes)? = network.nextOutput() { deliver(bytes, at: interface) }
    }

    mutating func drainNetworkTraces() {
        guard !selection.isDisjoint(with: [.losses, .traffic]) else { return }
        while let trace = network.nextTrace() { note(.network(trace), box: nil) }
    }

    private mutating func deliver(_ packet: [UInt8], at interface: InterfaceID) {
        switch places[owners[interface.index]] {
        case .phone(let index):
            phones[index].host.stack.receive(.packet(packet), at: now)
            drainPhone(index)
        case .server(let index):
            servers[index].host.stack.receive(.packet(packet), at: now)
            drainServer(index)
        case .router(let index):
            let side: RouterInterface = routers[index].lan == interface ? .lan : .wan
            routers[index].node.receive(.packet(side, packet), at: now)
            drainRouter(index)
        case .stun(let index):
            stunServers[index].host.stack.receive(.packet(packet), at: now)
            drainSTUN(index)
        case .names(let index):
            nameServers[index].host.stack.receive(.packet(packet), at: now)
            drainNames(index)
        case .bare(let index):
            bareHosts[index].host.stack.receive(.packet(packet), at: now)
            drainBare(index)
        }
    }

    mutating func put(_ packet: [UInt8], from interface: InterfaceID, nextHop: IPAddress?) {
        network.receive(.packet(from: interface, packet, nextHop: nextHop), at: now)
    }

    // MARK: Phones

    mutating func drainPhone(_ index: Int) {
        let box = phones[index].box
        var isMoving = true
        while isMoving {
            isMoving = false
            while let output = phones[index].node.nextOutput() {
                isMoving = true
                switch output {
                case .send(let datagram) where isUnheard(datagram, phone: index): break
                case .send(let datagram):
                    phones[index].host.stack.receive(.open(datagram.source.port), at: now)
                    phones[index].host.stack.receive(.send(datagram), at: now)
                case .status(let status):
                    phones[index].status = status
                    if selection.contains(.phones) {
                        drainPhoneTraces(index)
                        note(.status(status), box: box)
                    }
                case .stopped: break
                case .connect(let flow): phones[index].streams.connect(flow, entropy: &entropy)
                case .sendStream(let flow, let bytes): _ = phones[index].streams.send(bytes, on: flow)
                case .disconnect(let flow): phones[index].streams.disconnect(flow)
                case .call(let id, let event): took(event, of: id, phone: index)
                case .audio(let id, let samples, let rate):
                    phones[index].calls[id]?.heard.take(samples, rate: rate, among: tones, at: now)
                case .text, .textSent: break
                }
            }
            while let output = phones[index].host.stack.nextOutput() {
                isMoving = true
                switch output {
                case .packet(let packet, let nextHop): put(packet, from: phones[index].host.interface, nextHop: nextHop)
                case .datagram(let datagram): phones[index].node.receive(.received(datagram), at: now)
                case .unreachable(_, let remote, let kind):
                    switch kind {
                    case .port, .destination, .noRoute: phones[index].node.receive(.unreachable(remote), at: now)
                    case .timeExceeded, .tooBig: break
                    }
                case .stream(let event): phones[index].streams.take(event, entropy: &entropy)
                }
            }
            while let step = phones[index].streams.nextStep() {
                isMoving = true
                switch step {
                case .command(let command): phones[index].host.stack.receive(.stream(command), at: now)
                case .connected(let flow): phones[index].node.receive(.connected(flow), at: now)
                case .received(let flow, let bytes): phones[index].node.receive(.receivedStream(on: flow, bytes), at: now)
                case .closed(let flow, let reason): phones[index].node.receive(.closed(flow, reason: reason), at: now)
                }
            }
        }
        drainPhoneTraces(index)
        while let trace = phones[index].host.stack.nextTrace() { note(.host(trace), box: box) }
        setDeadline(box, soonest(nextWaking(phone: index), phones[index].host.stack.nextDeadline))
    }

    mutating func drainPhoneTraces(_ index: Int) {
        while let trace = phones[index].node.nextTrace() { note(.phone(trace), box: phones[index].box) }
    }

    // MARK: Servers

    mutating func drainServer(_ index: Int) {
        let box = servers[index].box
        var isMoving = true
        while isMoving {
            isMoving = false
            while let trace = servers[index].node.nextTrace() { note(.server(trace), box: box) }
            while let output = servers[index].node.nextOutput() {
                isMoving = true
                switch output {
                case .send(let flow, let bytes) where flow.transport.isReliable:
                    _ = servers[index].streams.send(bytes, on: flow)
                case .send(let flow, let bytes):
                    let datagram = Datagram(from: flow.local, to: flow.remote, bytes)
                    servers[index].host.stack.receive(.send(datagram), at: now)
                case .persist(let sequence, let change):
                    // The lab's storage takes no time, and fails in trials only.
                    if let report = servers[index].storage.store(sequence, change) {
                        servers[index].node.receive(report, at: now)
                    }
                case .media(_, let command): obey(command, server: index)
                case .record(let record): wrote(record, server: index)
                case .connect(let flow): servers[index].streams.connect(flow, entropy: &entropy)
                // The lab's connections are few and need no room.
                case .proved: break
                case .guessed: break
                case .probed(let aor, let outcomes):
                    servers[index].probes[aor] = outcomes
                    note(.probed(aor, outcomes), box: box)
                }
            }
            while let output = servers[index].host.stack.nextOutput() {
                isMoving = true
                switch output {
                case .packet(let packet, let nextHop): put(packet, from: servers[index].host.interface, nextHop: nextHop)
                case .datagram(let datagram): receive(datagram, server: index)
                case .unreachable: break
                case .stream(let event): servers[index].streams.take(event, entropy: &entropy)
                }
            }
            while let step = servers[index].streams.nextStep() {
                isMoving = true
                switch step {
                case .command(let command): servers[index].host.stack.receive(.stream(command), at: now)
                case .connected: break
                case .received(let flow, let bytes): servers[index].node.receive(.received(on: flow, bytes), at: now)
                case .closed(let flow, _): servers[index].node.receive(.closed(flow), at: now)
                }
            }
            if drainMedia(index) { isMoving = true }
        }
        while let trace = servers[index].node.nextTrace() { note(.server(trace), box: box) }
        while let trace = servers[index].host.stack.nextTrace() { note(.host(trace), box: box) }
        let next = soonest(servers[index].node.nextDeadline, servers[index].host.stack.nextDeadline)
        setDeadline(box, soonest(next, servers[index].media.nextDeadline))
    }

    private mutating func receive(_ datagram: Datagram, server index: Int) {
        if servers[index].media.owns(datagram.destination.port) { return receiveMedia(datagram, server: index) }
        guard datagram.destination.port == 3478, servers[index].stun != nil else {
            let flow = FlowID(.udp, local: datagram.destination, remote: datagram.source)
            servers[index].node.receive(.received(on: flow, datagram.payload), at: now)
            return
        }
        let answer = servers[index].stun?.answer(datagram.payload, from: datagram.source, to: datagram.destination)
        guard let answer else { return }
        servers[index].host.stack.receive(.send(answer.datagram), at: now)
        if selection.contains(.servers) {
            note(.stunAnswered(local: datagram.destination, remote: datagram.source), box: servers[index].box)
        }
    }

    // MARK: Routers

    mutating func drainRouter(_ index: Int) {
        let box = routers[index].box
        while let trace = routers[index].node.nextTrace() { note(.router(trace), box: box) }
        while let output = routers[index].node.nextOutput() {
            switch output {
            case .packet(let side, let packet):
                put(packet, from: side == .lan ? routers[index].lan : routers[index].wan, nextHop: nil)
            case .text(let text): note(.text(text), box: box)
            // The lab's links know who is where, and its hosts are given their addresses.
            case .neighbour, .outside: break
            }
        }
        setDeadline(box, routers[index].node.nextDeadline)
    }

    // MARK: STUN and names

    mutating func drainSTUN(_ index: Int) {
        let box = stunServers[index].box
        while let output = stunServers[index].host.stack.nextOutput() {
            switch output {
            case .packet(let packet, let nextHop): put(packet, from: stunServers[index].host.interface, nextHop: nextHop)
            case .datagram(let datagram):
                let answer = stunServers[index].node.answer(datagram.payload, from: datagram.source, to: datagram.destination)
                guard let answer else { continue }
                if selection.contains(.servers) {
                    note(.stunAnswered(local: datagram.destination, remote: datagram.source), box: box)
                }
                stunServers[index].host.stack.receive(.send(answer.datagram), at: now)
            case .unreachable, .stream: break
            }
        }
        while let trace = stunServers[index].host.stack.nextTrace() { note(.host(trace), box: box) }
        setDeadline(box, stunServers[index].host.stack.nextDeadline)
    }

    mutating func drainNames(_ index: Int) {
        let box = nameServers[index].box
        while let output = nameServers[index].host.stack.nextOutput() {
            switch output {
            case .packet(let packet, let nextHop): put(packet, from: nameServers[index].host.interface, nextHop: nextHop)
            case .datagram(let datagram):
                guard let answer = nameServers[index].node.answer(datagram.payload) else { continue }
                if selection.contains(.servers) { note(.nameAnswered(remote: datagram.source), box: box) }
                let reply = Datagram(from: datagram.destination, to: datagram.source, answer)
                nameServers[index].host.stack.receive(.send(reply), at: now)
            case .unreachable, .stream: break
            }
        }
        while let trace = nameServers[index].host.stack.nextTrace() { note(.host(trace), box: box) }
        setDeadline(box, nameServers[index].host.stack.nextDeadline)
    }
}
