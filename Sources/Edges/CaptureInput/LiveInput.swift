import Base
import CCapture
import Capture
import Glibc

/// Packets of a network interface (packet sockets) and HEPv3 from capture agents (UDP and TCP), as they come.
public final class LiveInput {
    /// What the user is told while it runs.
    public struct Counts: Sendable {
        public var packets: UInt64 = 0
        public var hep: UInt64 = 0
        public var drops: UInt64 = 0
    }

    /// One capture agent's TCP connection.
    private final class Agent {
        let descriptor: Int32
        var decoder: HEPDecoder

        init(_ descriptor: Int32, file: Int) {
            self.descriptor = descriptor
            decoder = HEPDecoder(file: file)
        }

        deinit { pc_close(descriptor) }
    }

    private static let mostAgents = 100
    /// A packet, or what an interface with large offloads gives instead.
    private static let slotSize = 65_536

    private let interrupts: Int32
    private var packetSocket: Int32 = -1
    private var loopbacks: Set<Int32> = []
    private var ring: OpaquePointer?
    private var frames = FrameDecoder()
    private var interfaceFile = 0
    private var spool: PcapSpool?
    private var hepSocket: Int32 = -1
    private var hepListener: Int32 = -1
    private var hepFile = 0
    private var datagrams = HEPDecoder()
    private var agents: [Agent] = []
    /// Notes of connections that are over.
    private var agentNotes: [CaptureNotes] = []
    private var batch = PayloadBatch(capacity: 1 << 20)
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private var isStopped = false
    public private(set) var counts = Counts()

    /// Ctrl-C is caught from here on: begin before any thread is started.
    public init() throws(InputError) {
        interrupts = pc_interrupts()
        guard interrupts >= 0 else { throw InputError("Ctrl-C", code: -interrupts, doing: "watching for it") }
    }

    deinit {
        if packetSocket >= 0 { pc_close(packetSocket) }
        if hepSocket >= 0 { pc_close(hepSocket) }
        if hepListener >= 0 { pc_close(hepListener) }
        if let ring { pc_ring_destroy(ring) }
    }

    /// Listens on an interface, or on all of them for `any`. `file`: the source's index. `isSpooled`: packets are kept for `copy`.
    public func capture(interface: String, file: Int, isSpooled: Bool = false) throws(InputError) {
        var index: Int32 = 0
        if interface != "any" {
            index = pc_interface(interface)
            guard index > 0 else { throw InputError(interface, code: -index, doing: "looking for this network interface") }
        }
        let descriptor = pc_open(index, 16 << 20)
        guard descriptor >= 0 else {
            let hint = -descriptor == EPERM ? " (capturing needs root or the capability CAP_NET_RAW)" : ""
            throw InputError(interface, "opening a packet socket: \(String(cString: strerror(-descriptor)))\(hint)")
        }
        packetSocket = descriptor
        guard let ring = pc_ring_create(64, Self.slotSize) else { throw InputError(interface, "there is no memory for packets") }
        self.ring = ring
        interfaceFile = file
        if isSpooled { spool = try PcapSpool(name: interface) }
    }

    /// Listens for HEPv3: a port, or `address:port`. Returns the port.
    @discardableResult
    public func listen(hep address: String, file: Int) throws(InputError) -> UInt16 {
        let endpoint = Endpoint(address)
        guard let port = endpoint?.port ?? UInt16(address) else {
            throw InputError(address, "HEP wants a port, or address:port")
        }
        let host = endpoint.map { "\($0.address)" }
        var bound: UInt16 = 0
        hepSocket = pc_listen(host, port, 0, &bound)
        guard hepSocket >= 0 else { throw InputError(address, code: -hepSocket, doing: "binding a UDP socket for HEP") }
        hepListener = pc_listen(host, bound, 1, nil)
        guard hepListener >= 0 else { throw InputError(address, code: -hepListener, doing: "listening on TCP for HEP") }
        hepFile = file
        datagrams = HEPDecoder(file: file)
        return bound
    }

    /// Ends `run` as Ctrl-C does, from within what it calls.
    public func stop() { isStopped = true }

    /// Runs until Ctrl-C, `stop` or for `seconds`; hands over batches on this thread. `idle` is called about four times a second.
    public func run(seconds: Double?, idle: (Counts) -> Void, _ body: (borrowing PayloadBatch) -> Void) throws(InputError) {
        let start = Self.monotonic()
        var isOver = false
        while !isOver, !isStopped {
            var left = 0.25
            if let seconds {
                left = min(left, start + seconds - Self.monotonic())
                if left <= 0 { break }
            }
            var descriptors = [interrupts, packetSocket, hepSocket, hepListener] + agents.map(\.descriptor)
            var ready = [UInt8](repeating: 0, count: descriptors.count)
            let count = pc_wait(&descriptors, &ready, UInt32(descriptors.count), Int32(left * 1000) + 1)
            guard count >= 0 else { throw InputError("live input", code: -count, doing: "waiting for packets") }
            if ready[0] != 0 { isOver = true }
            if ready[1] != 0 { try receivePackets(body) }
            if ready[2] != 0 { receiveHEP(body) }
            let talking = agents.indices.filter { ready[4 + $0] != 0 }
            for index in talking { receiveHEP(from: agents[index], body) }
            agents.removeAll { agent in closed.contains(agent.descriptor) }
            closed = []
            if ready[3] != 0 { accept() }
            idle(counts)
        }
        finish(body)
        // A second Ctrl-C ends the report, too.
        pc_interrupts_restore(interrupts)
    }

    /// What the interface could not show.
    public var interfaceNotes: CaptureNotes { frames.notes }

    /// What the agents' packets could not show.
    public var hepNotes: CaptureNotes {
        var notes = datagrams.notes
        for other in agentNotes { notes.add(other) }
        return notes
    }

    /// The packets that were spooled, as a capture file.
    public func copy() throws(InputError) -> ByteCopy? { try spool?.copy() }

    // MARK: Private

    private var closed: Set<Int32> = []

    private func receivePackets(_ body: (borrowing PayloadBatch) -> Void) throws(InputError) {
        guard let ring else { return }
        let count = pc_receive(packetSocket, ring)
        // An interface that went down says so once; packets come again when it is up.
        guard count >= 0 else {
            if -count == ENETDOWN { return }
            throw InputError("live capture", code: -count, doing: "receiving packets")
        }
        counts.drops &+= UInt64(pc_drops(packetSocket))
        frames.noteDrops(counts.drops)
        batch.restart(file: interfaceFile)
        for slot in 0..<UInt32(count) {
            let packet = pc_ring_packet(ring, slot)
            // The kernel shows what loops back twice; libpcap leaves the first out, too.
            if packet.direction == 4, isLoopback(packet.interface) { continue }
            guard packet.protocol == 0x0800 || packet.protocol == 0x86dd else { continue }
            counts.packets &+= 1
            let bytes = UnsafeRawBufferPointer(start: pc_ring_payload(ring, slot), count: Int(packet.captured))
            let time = Instant(nanoseconds: packet.time)
            try spool?.append(bytes, wire: Int(packet.wire), at: time)
            frames.append(bytes, wire: Int(packet.wire), at: time, link: .raw, linkType: LinkType.raw.rawValue, to: &batch)
        }
        frames.settle()
        body(batch)
    }

    private func isLoopback(_ interface: Int32) -> Bool {
        if loopbacks.contains(interface) { return true }
        guard pc_is_loopback(interface) != 0 else { return false }
        loopbacks.insert(interface)
        return true
    }

    private func receiveHEP(_ body: (borrowing PayloadBatch) -> Void) {
        datagrams.begin(&batch)
        for _ in 0..<256 {
            let count = pc_read(hepSocket, &buffer, buffer.count)
            guard count > 0 else { break }
            counts.hep &+= 1
            buffer.withUnsafeBytes { _ = datagrams.datagram(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &batch) }
        }
        body(batch)
    }

    private func receiveHEP(from agent: Agent, _ body: (borrowing PayloadBatch) -> Void) {
        let count = pc_read(agent.descriptor, &buffer, buffer.count)
        if count == 0 || (count < 0 && -count != EAGAIN && -count != EINTR) {
            agent.decoder.finish()
            if agentNotes.count < 1_000 { agentNotes.append(agent.decoder.notes) }
            closed.insert(agent.descriptor)
            return
        }
        guard count > 0 else { return }
        agent.decoder.begin(&batch)
        let before = agent.decoder.notes.frames
        buffer.withUnsafeBytes { agent.decoder.stream(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &batch) }
        counts.hep &+= agent.decoder.notes.frames - before
        body(batch)
    }

    private func accept() {
        let descriptor = pc_accept(hepListener)
        guard descriptor >= 0 else { return }
        if agents.count < Self.mostAgents {
            agents.append(Agent(descriptor, file: hepFile))
        } else {
            pc_close(descriptor)
        }
    }

    private func finish(_ body: (borrowing PayloadBatch) -> Void) {
        for agent in agents {
            agent.decoder.finish()
            agentNotes.append(agent.decoder.notes)
        }
        agents = []
        guard packetSocket >= 0 else { return }
        batch.restart(file: interfaceFile)
        frames.finish(&batch)
        body(batch)
    }

    private static func monotonic() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
