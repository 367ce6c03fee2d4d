import Base

/// Where the program that writes a log stands, by its own words: its Via, the Request-URI that others reach it by.
struct LogStanding: Sendable {
    private var own: LoggedPeer?
    /// Far ends known by their own Via alone: an answer to them does not make them others.
    private var assumed: Set<LoggedPeer> = []
    private static let mostAssumed = 1_024

    /// Says the ends and the transport that the log itself does not name.
    mutating func complete(_ message: inout LoggedMessage, isKnownProgram: Bool) {
        guard message.transport == nil && message.direction == .passing || !isKnownProgram else { return }
        let via = Self.via(message.bytes)
        message.transport = message.transport ?? via?.transport
        if !isKnownProgram { completeEnds(&message, via) }
    }

    private mutating func completeEnds(_ message: inout LoggedMessage, _ via: Via?) {
        let isSent: Bool
        switch message.direction {
        case .sent, .retransmitted: isSent = true
        case .received: isSent = false
        case .passing: return
        }
        let isResponse = message.bytes.starts(with: "SIP/")
        // A response bears the Via of who asked.
        if isSent != isResponse {
            if let own = via?.sentBy, own.address != nil { self.own = own }
        } else {
            // A name or what is left of an address in the Via is nobody's in particular.
            if message.remote == nil, let via, (via.seen ?? via.sentBy)?.address?.isUnspecified == false {
                if !isResponse, via.seen == nil, let sentBy = via.sentBy, assumed.count < Self.mostAssumed {
                    assumed.insert(sentBy)
                }
                message.remote = via.sentBy.map { assumed.contains($0) } == true ? via.sentBy : via.seen ?? via.sentBy
            }
            if message.local == nil, own == nil, !isSent { own = Self.requestHost(message.bytes) }
        }
        if let local = message.local { own = local }
        message.local = message.local ?? own
    }

    private struct Via {
        var transport: PayloadTransport?
        var sentBy: LoggedPeer?
        /// By `received` and `rport` (RFC 3581).
        var seen: LoggedPeer?
    }

    /// The topmost.
    private static func via(_ bytes: [UInt8]) -> Via? {
        guard let name = bytes.firstIndex(of: "\nVia:") ?? bytes.firstIndex(of: "\nv:") else { return nil }
        var line = bytes[(name + 1)...].prefix { $0 != 13 && $0 != 10 }
        line = line.drop { $0 != 0x3a }.dropFirst().drop { $0 == 0x20 }
        if let comma = line.firstIndex(of: 0x2c) { line = line[..<comma] }
        guard line.starts(with: "SIP/2.0/"), let blank = line.firstIndex(of: 0x20) else { return nil }
        var via = Via()
        via.transport = LogFraming.transport(line[(line.startIndex + 8)..<blank])
        let parameters = line[blank...].firstIndex(of: 0x3b) ?? line.endIndex
        let fallback: UInt16 = via.transport == .tls || via.transport == .wss ? 5061 : 5060
        guard var sentBy = LogFraming.peer(line[blank..<parameters]).peer else { return via }
        if sentBy.port == nil { sentBy.port = fallback }
        via.sentBy = sentBy
        let rest = Array(line[parameters...])
        let received = value(rest, ";received=")
        let port = value(rest, ";rport=").flatMap { UInt16($0) }
        if let host = received ?? (port != nil ? sentBy.host : nil) {
            via.seen = LoggedPeer(host: host, port: port ?? sentBy.port)
        }
        return via
    }

    private static func value(_ parameters: [UInt8], _ name: StaticString) -> String? {
        guard let at = parameters.firstIndex(of: name) else { return nil }
        let text = parameters[(at + name.utf8CodeUnitCount)...].prefix { $0 > 0x20 && $0 != 0x3b && $0 != 0x2c }
        return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
    }

    /// `INVITE sip:100@192.168.1.20:5060;ob SIP/2.0`: an address only.
    private static func requestHost(_ bytes: [UInt8]) -> LoggedPeer? {
        let line = bytes.prefix { $0 != 13 && $0 != 10 }
        guard let blank = line.firstIndex(of: 0x20), let end = line.lastIndex(of: 0x20), end > blank,
            let colon = line[blank..<end].firstIndex(of: 0x3a)
        else { return nil }
        var host = line[(colon + 1)..<end].prefix { $0 != 0x3b && $0 != 0x3f }
        if let at = host.lastIndex(of: 0x40) { host = host[(at + 1)...] }
        guard var peer = LogFraming.peer(host).peer, peer.address != nil else { return nil }
        if peer.port == nil { peer.port = line[blank..<colon].elementsEqual(" sips".utf8) ? 5061 : 5060 }
        return peer
    }
}
