import Base
import STUN

extension STUNServer {
    /// What a walk over the attributes found.
    private struct Wishes {
        var change: STUNChangeRequest?
        var responsePort: UInt16?
        var paddingLength: Int?
        var unknown = 0
        var hasFingerprint = false
        var isMalformed = false
    }

    func decide(
        _ request: UnsafeRawBufferPointer, from remote: Endpoint, to local: Endpoint, into buffer: UnsafeMutableRawBufferPointer
    ) -> Verdict {
        guard request.count >= STUNMessage.headerLength else { return .drop(.tooShort) }
        guard let type = STUNMessageType(wire: request.uint16(at: 0)) else { return .drop(.notSTUN) }
        let length = Int(request.uint16(at: 2))
        guard length == request.count - STUNMessage.headerLength, length % 4 == 0 else { return .drop(.wrongLength) }
        let isClassic = request.uint32(at: 4) != stunMagicCookie
        switch type.kind {
        case .request: break
        case .indication: return .drop(isClassic ? .notSTUN : .indication)
        case .success, .error: return .drop(.response)
        }
        guard type.method == STUNMessageType.binding else { return .drop(.unknownMethod) }
        guard remote.port != 0 else { return .drop(.unanswerable) }
        guard buffer.count >= Self.answerCapacity(requestLength: request.count) else { return .drop(.noRoom) }

        var wishes = Wishes()
        if length > 0, let drop = read(request, isClassic: isClassic, into: &wishes) { return .drop(drop) }
        var answer = AnswerWriter(buffer, answering: request, hasFingerprint: wishes.hasFingerprint, software: settings.software)
        if wishes.unknown > 0 {
            answer.begin(.bindingError)
            answer.add(.unknownAttribute)
            answer.addUnknown(in: request, most: 32) { isUnknown($0, isClassic: isClassic) }
            return .answer(length: answer.finish(), local: local, remote: remote, kind: .unknownAttribute)
        }
        // RFC 5780 7.6: the two would let a stranger's port be flooded with large datagrams.
        if wishes.isMalformed || (wishes.paddingLength != nil && wishes.responsePort != nil) {
            answer.begin(.bindingError)
            answer.add(.badRequest)
            return .answer(length: answer.finish(), local: local, remote: remote, kind: .badRequest)
        }

        let alternate = alternate(for: local)
        var origin = local
        if let change = wishes.change {
            if let changed = alternate?.changed(local, address: change.changesAddress, port: change.changesPort) {
                origin = changed
            } else if !isClassic {
                answer.begin(.bindingError)
                answer.add(.unknownAttribute)
                answer.addUnknown(in: request, most: 1) { $0 == .changeRequest }
                return .answer(length: answer.finish(), local: local, remote: remote, kind: .unknownAttribute)
            } else if change.changesAddress || change.changesPort {
                return .drop(.cannotChange)
            }
        }
        answer.begin(.bindingSuccess)
        if isClassic {
            answer.add(.mappedAddress, remote)
            answer.add(.sourceAddress, advertised(origin))
            let other = alternate?.changed(local, address: true, port: true) ?? local
            answer.add(.changedAddress, advertised(other))
        } else {
            answer.addXORMapped(remote)
            if let alternate, let other = alternate.changed(local, address: true, port: true) {
                // RFC 5780 6.1 wants the plain address too: the two differ where something in between rewrites addresses it finds.
                answer.add(.mappedAddress, remote)
                answer.add(.responseOrigin, alternate.advertised(origin))
                answer.add(.otherAddress, alternate.advertised(other))
            }
            if let count = wishes.paddingLength { answer.addPadding(count) }
        }
        let target = Endpoint(remote.address, wishes.responsePort ?? remote.port)
        return .answer(length: answer.finish(), local: origin, remote: target, kind: isClassic ? .classic : .mapped)
    }

    /// The alternate that `local` belongs to.
    private func alternate(for local: Endpoint) -> STUNAlternate? {
        let alternate = local.address.isIPv6 ? settings.alternateIPv6 : settings.alternateIPv4
        guard let alternate, alternate.changed(local, address: false, port: false) != nil else { return nil }
        return alternate
    }

    private func advertised(_ local: Endpoint) -> Endpoint {
        if let alternate = alternate(for: local) { return alternate.advertised(local) }
        guard let address = settings.advertisedIPv4, !local.address.isIPv6 else { return local }
        return Endpoint(address, local.port)
    }

    private func read(_ request: UnsafeRawBufferPointer, isClassic: Bool, into wishes: inout Wishes) -> STUNDrop? {
        var at = STUNMessage.headerLength
        var isSealed = false
        while at < request.count {
            let type = STUNAttributeType(rawValue: request.uint16(at: at))
            let count = Int(request.uint16(at: at + 2))
            let value = at + 4
            guard count <= request.count - value else { return .attributePastEnd }
            let next = value + (count + 3) & ~3
            if type == .fingerprint, !isClassic {
                guard count == 4, next == request.count else { return .wrongFingerprint }
                var crc = CRC32()
                crc.update(UnsafeRawBufferPointer(rebasing: request[..<at]))
                guard crc.value ^ 0x5354_554e == request.uint32(at: value) else { return .wrongFingerprint }
                wishes.hasFingerprint = true
            } else if !isSealed {
                switch type {
                case .changeRequest:
                    if count == 4 {
                        let flags = request[value + 3]
                        wishes.change = wishes.change ?? STUNChangeRequest(address: flags & 4 != 0, port: flags & 2 != 0)
                    } else {
                        wishes.isMalformed = true
                    }
                case .responsePort where !isClassic:
                    if count == 2 || count == 4, request.uint16(at: value) != 0 {
                        wishes.responsePort = wishes.responsePort ?? request.uint16(at: value)
                    } else {
                        wishes.isMalformed = true
                    }
                case .padding where !isClassic:
                    wishes.paddingLength = wishes.paddingLength ?? count
                case .messageIntegrity, .messageIntegritySHA256:
                    // What follows a seal is not sealed and must be ignored (RFC 8489 14.5).
                    isSealed = true
                default:
                    if isUnknown(type, isClassic: isClassic) { wishes.unknown += 1 }
                }
            }
            at = next
        }
        return nil
    }

    /// RESPONSE-ADDRESS of RFC 3489 counts as unknown: it would let anyone aim our answers at a stranger.
    private func isUnknown(_ type: STUNAttributeType, isClassic: Bool) -> Bool {
        guard type.isComprehensionRequired else { return false }
        return switch type {
        case .changeRequest, .mappedAddress, .username, .messageIntegrity, .errorCode, .unknownAttributes: false
        case .sourceAddress, .changedAddress, .password, .reflectedFrom: !isClassic
        case .realm, .nonce, .messageIntegritySHA256, .passwordAlgorithm, .userhash, .xorMappedAddress, .padding, .responsePort:
            isClassic
        default: true
        }
    }
}
