import Base
import SIP

/// Puts responses together (RFC 3261 8.2.6, 18.2.1): the request's Via, From, To, Call-ID and CSeq, then what the server has to say.
package struct ReplyWriter: Sendable {
    /// A response under construction.
    package struct Reply: Sendable {
        package var status: Int
        /// nil: the usual phrase.
        package var reason: String?
        /// Whole lines.
        package var lines: [UInt8] = []
        /// Announced by a Content-Type among `lines`.
        package var body: [UInt8] = []

        package init(_ status: Int, reason: String? = nil) {
            self.status = status
            self.reason = reason
        }

        package mutating func add(_ name: StaticString, _ value: some Collection<UInt8>) {
            lines.append(static: name)
            lines.append(static: ": ")
            lines.append(contentsOf: value)
            lines.append(static: "\r\n")
        }

        package mutating func add(named name: HeaderName, _ value: some Collection<UInt8>) {
            lines.append(contentsOf: name.text.bytes)
            lines.append(static: ": ")
            for byte in value { lines.append(byte == 0x0d || byte == 0x0a ? 0x20 : byte) }
            lines.append(static: "\r\n")
        }

        /// What a 415 must say (RFC 3261 21.4.13).
        package mutating func addAcceptedBodies() {
            add("Accept", ReplyWriter.accept.utf8)
            add("Accept-Encoding", "identity".utf8)
        }

        package mutating func add(_ name: StaticString, number: UInt32) {
            lines.append(static: name)
            lines.append(static: ": ")
            lines.append(decimal: UInt64(number))
            lines.append(static: "\r\n")
        }
    }

    package static let accept = "application/sdp, multipart/mixed"
    /// What the server can do beyond the basics.
    package static let supported = "path, outbound"
    package static let allow =
        "REGISTER, OPTIONS, INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, REFER, SUBSCRIBE, NOTIFY"
    package static let allowForChanSIP = "REGISTER, OPTIONS, INVITE, ACK, CANCEL, BYE"
    /// The same inside calls.
    package static let supportedInCalls = "100rel, timer, replaces, norefersub"

    /// `Server: ...` and, for chan_sip, all it always says.
    private let serverLines: [UInt8]
    private let serviceRouteLines: [UInt8]
    private let isChanSIP: Bool
    private let forcesRport: Bool
    private var date: [UInt8] = []
    private var dateSecond: Int64 = .min
    /// By how much the wall clock is ahead of the instants told.
    package var wallClockAhead = Duration.zero

    /// `serviceRoutes`: RFC 3608, as `<sip:...;lr>`. `isChanSIP`: in its words.
    package init(software: String, serviceRoutes: [String], isChanSIP: Bool, natHandling: Bool) {
        self.isChanSIP = isChanSIP
        forcesRport = isChanSIP && natHandling
        let name = Array(software.utf8).map { $0 < 0x20 ? 0x20 : $0 }
        if isChanSIP {
            serverLines =
                Array("User-Agent: ".utf8) + name
                + Array("\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY\r\nSupported: replaces\r\n".utf8)
        } else {
            serverLines = name.isEmpty ? [] : Array("Server: ".utf8) + name + Array("\r\n".utf8)
        }
        serviceRouteLines = serviceRoutes.flatMap { Array("Service-Route: \($0)\r\n".utf8) }
    }

    package func addServiceRoutes(to reply: inout Reply) { reply.lines.append(contentsOf: serviceRouteLines) }

    /// `Date` (RFC 3261 20.17), made once a second.
    package mutating func addDate(_ now: Instant, to reply: inout Reply) {
        let shown = now + wallClockAhead
        if shown.unixSeconds != dateSecond {
            dateSecond = shown.unixSeconds
            date = Array(SIPDate(unixSeconds: shown.unixSeconds).text.bytes)
        }
        reply.add("Date", date)
    }

    /// What of a request its response repeats. Texts are the values of the fields as they stand.
    package struct Echo: Sendable {
        /// The topmost Via taken apart; nil where it cannot be read.
        package var via: Via?
        package var vias: [SIPText] = []
        package var from: SIPText?
        package var to: SIPText?
        package var callID: SIPText?
        package var cseq: SIPText?
        package var hasToTag = false

        package init() {}

        /// Of a message that may be malformed.
        package init(_ message: SIPMessage) {
            via = try? message.topVia
            vias = message.all(.via).map(\.value)
            from = message.first(.from)?.value
            to = message.first(.to)?.value
            callID = message.first(.callID)?.value
            cseq = message.first(.cseq)?.value
            hasToTag = (try? message.to)?.tag != nil
        }
    }

    /// The response as bytes. `toTag` goes into To where there is none.
    package func bytes(_ reply: Reply, to echo: Echo, source: Endpoint, toTag: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(640 + reply.lines.count)
        out.append(static: "SIP/2.0 ")
        out.append(decimal: UInt64(clamping: reply.status))
        out.append(0x20)
        if let reason = reply.reason {
            for byte in reason.utf8 { out.append(byte < 0x20 ? 0x20 : byte) }
        } else {
            out.append(static: SIPStatus.phrase(reply.status))
        }
        for (index, value) in echo.vias.enumerated() {
            out.append(static: "\r\nVia: ")
            if index == 0, let via = echo.via {
                appendMarked(via, source: source, to: &out)
                // Further values in the same field.
                out.append(contentsOf: value.bytes[via.written.range.upperBound..<value.range.upperBound])
            } else {
                out.append(value)
            }
        }
        if let from = echo.from {
            out.append(static: "\r\nFrom: ")
            out.append(from)
        }
        if let to = echo.to {
            out.append(static: "\r\nTo: ")
            out.append(to)
            if reply.status != 100, !echo.hasToTag {
                out.append(static: isChanSIP ? ";tag=as" : ";tag=")
                out.append(hex: toTag, digits: isChanSIP ? 8 : 16)
            }
        }
        if let callID = echo.callID {
            out.append(static: "\r\nCall-ID: ")
            out.append(callID)
        }
        if let cseq = echo.cseq {
            out.append(static: "\r\nCSeq: ")
            out.append(cseq)
        }
        out.append(static: "\r\n")
        out.append(contentsOf: serverLines)
        out.append(contentsOf: reply.lines)
        guard !reply.body.isEmpty else {
            out.append(static: "Content-Length: 0\r\n\r\n")
            return out
        }
        out.append(static: "Content-Length: ")
        out.append(decimal: UInt64(reply.body.count))
        out.append(static: "\r\n\r\n")
        out.append(contentsOf: reply.body)
        return out
    }

    /// The topmost Via with `received` and `rport` filled in (RFC 3261 18.2.1, RFC 3581 4). A `received` or `rport` value that came with
    /// the request is not ours and is left out.
    private func appendMarked(_ via: Via, source: Endpoint, to out: inout [UInt8]) {
        let written = via.written
        let parameters = via.parameters.text
        let headEnd = parameters.isEmpty ? written.count : parameters.range.lowerBound - written.range.lowerBound
        out.append(written.part(0..<headEnd))
        var asksPort = forcesRport
        for parameter in via.parameters {
            if parameter.name.equalsCaseless(literal: "received") { continue }
            if parameter.name.equalsCaseless(literal: "rport") {
                asksPort = true
                continue
            }
            out.append(UInt8(ascii: ";"))
            out.append(parameter.name)
            if let value = parameter.value {
                out.append(UInt8(ascii: "="))
                out.append(value)
            }
        }
        // RFC 3581 4: whoever asks for the port gets the address as well.
        if asksPort || via.host.address != source.address {
            out.append(static: ";received=")
            out.append(address: source.address)
        }
        if asksPort {
            out.append(static: ";rport=")
            out.append(decimal: UInt64(source.port))
        }
    }
}

extension [UInt8] {
    package mutating func append(static text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    package mutating func append(hex value: UInt64, digits: Int) {
        var shift = UInt64(digits &* 4)
        while shift > 0 {
            shift &-= 4
            append(lowerHexDigits[Int(truncatingIfNeeded: value >> shift) & 15])
        }
    }

    /// As text, without brackets.
    package mutating func append(address: IPAddress) {
        switch address {
        case .v4(let v4):
            let (a, b, c, d) = v4.octets
            append(decimal: UInt64(a))
            append(UInt8(ascii: "."))
            append(decimal: UInt64(b))
            append(UInt8(ascii: "."))
            append(decimal: UInt64(c))
            append(UInt8(ascii: "."))
            append(decimal: UInt64(d))
        case .v6: append(contentsOf: address.description.utf8)
        }
    }

    /// `address:port`, IPv6 in brackets.
    package mutating func append(endpoint: Endpoint) {
        if endpoint.address.isIPv6 {
            append(contentsOf: endpoint.description.utf8)
        } else {
            append(address: endpoint.address)
            append(UInt8(ascii: ":"))
            append(decimal: UInt64(endpoint.port))
        }
    }
}
