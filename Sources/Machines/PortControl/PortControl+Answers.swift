import Base

/// What hosts are told.
extension PortControl {
    mutating func succeed(
        _ datagram: Datagram, _ dialect: Dialect, _ external: Endpoint, _ port: UInt16, lifetime: Int64, _ now: Instant
    ) {
        let seconds = UInt32(clamping: lifetime)
        switch dialect {
        case .natPMP:
            var answer = natPMPHead(datagram.payload[1], .success, now)
            answer.append(bigEndian: port)
            answer.append(bigEndian: external.port)
            answer.append(bigEndian: seconds)
            send(answer, to: datagram)
        case .pcp(let head):
            var answer = pcpHead(head, .success, lifetime: seconds, now)
            answer.replace(at: 42, bigEndian: external.port)
            if case .v4(let v4) = external.address {
                var octets: [UInt8] = []
                octets.append(.v6(IPv6Address(mapping: v4)))
                answer.replaceSubrange(44..<60, with: octets)
            }
            send(answer, to: datagram)
        }
    }

    mutating func refuse(_ datagram: Datagram, _ dialect: Dialect, _ result: PortControlResult, _ now: Instant) {
        refusals &+= 1
        traces.note(.refused(datagram.source, result))
        switch dialect {
        case .natPMP:
            var answer = natPMPHead(datagram.payload[1], result, now)
            // As the request has it, and no lifetime (RFC 6886 3.3).
            answer += datagram.payload.dropFirst(4).prefix(4)
            while answer.count < 16 { answer.append(0) }
            send(answer, to: datagram)
        case .pcp(let head):
            // How long it will not be otherwise (RFC 6887 7.4): half a minute.
            send(pcpHead(head, result, lifetime: 30, now), to: datagram)
        }
    }

    func natPMPHead(_ opcode: UInt8, _ result: PortControlResult, _ now: Instant) -> [UInt8] {
        var bytes: [UInt8] = [0, opcode | 0x80]
        bytes.append(bigEndian: result.natPMP)
        bytes.append(bigEndian: epochSeconds(now))
        return bytes
    }

    /// The request back, as an answer.
    func pcpHead(_ request: [UInt8], _ result: PortControlResult, lifetime: UInt32, _ now: Instant) -> [UInt8] {
        var bytes: [UInt8] = [2, request[1] | 0x80, 0, result.rawValue]
        bytes.append(bigEndian: lifetime)
        bytes.append(bigEndian: epochSeconds(now))
        bytes += Array(repeating: 0, count: 12)
        return bytes + request.dropFirst(24)
    }

    func padded(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.prefix(24)) + Array(repeating: 0, count: max(0, 24 - bytes.count))
    }

    private func epochSeconds(_ now: Instant) -> UInt32 { UInt32(clamping: (now - (epoch ?? now)).wholeSeconds) }

    mutating func send(_ bytes: [UInt8], to request: Datagram) {
        outputs.append(.send(Datagram(from: request.destination, to: request.source, bytes)))
    }
}
