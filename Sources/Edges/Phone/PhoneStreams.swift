import Base
import LinuxEdge
import PhoneNode
import Streams

/// The phone's connections over TCP and TLS.
final class PhoneStreams: Sendable {
    private let service: StreamService
    private let inbox: StreamInbox
    private let serverName: String?
    private let trust: TLSTrust

    init(waking wake: WakeSignal, serverName: String?, trust: TLSTrust) {
        inbox = StreamInbox { wake.signal() }
        service = StreamService(inbox: inbox)
        self.serverName = serverName
        self.trust = trust
    }

    func connect(_ flow: FlowID) { service.connect(flow, framing: .raw, serverName: serverName, trust: trust) }
    func send(_ bytes: [UInt8], on flow: FlowID) { service.send(bytes, on: flow) }
    func close(_ flow: FlowID) { service.close(flow) }
    func stop() { service.stop() }

    func takeAll() -> [PhoneNode.Input] {
        inbox.takeAll().compactMap { event in
            switch event {
            case .opened(var flow, let local):
                flow.local = local
                return .connected(flow)
            case .received(let flow, let bytes): return .receivedStream(on: flow, bytes)
            case .closed(let flow, let reason): return .closed(flow, reason: "\(reason)")
            // A phone listens nowhere.
            case .exhausted: return nil
            }
        }
    }
}
