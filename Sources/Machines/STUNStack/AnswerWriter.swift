import Base
import STUN

/// Writes an answer into memory that the caller owns and has checked to be `STUNServer.answerCapacity` large.
///
/// The only file of the target with raw writes. Every answer is bounded: header 20, error 28, unknown attributes 68, three
/// addresses of 24, SOFTWARE 132, FINGERPRINT 8, and padding no longer than the request's, which capacity accounts for.
struct AnswerWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private let request: UnsafeRawBufferPointer
    private let hasFingerprint: Bool
    private let software: [UInt8]
    private var count = 0

    init(
        _ buffer: UnsafeMutableRawBufferPointer, answering request: UnsafeRawBufferPointer, hasFingerprint: Bool,
        software: [UInt8]
    ) {
        self.buffer = buffer
        self.request = request
        self.hasFingerprint = hasFingerprint
        self.software = software
    }

    mutating func begin(_ type: STUNMessageType) {
        put(type.wire)
        put(0 as UInt16)
        for word in 0..<4 { put(request.uint32(at: 4 + 4 * word)) }
    }

    mutating func add(_ type: STUNAttributeType, _ endpoint: Endpoint) {
        put(type.rawValue)
        switch endpoint.address {
        case .v4(let v4):
            put(8 as UInt16)
            put(1 as UInt16)
            put(endpoint.port)
            put(v4.bits)
        case .v6(let v6):
            put(20 as UInt16)
            put(2 as UInt16)
            put(endpoint.port)
            put(UInt32(truncatingIfNeeded: v6.high >> 32))
            put(UInt32(truncatingIfNeeded: v6.high))
            put(UInt32(truncatingIfNeeded: v6.low >> 32))
            put(UInt32(truncatingIfNeeded: v6.low))
        }
    }

    mutating func addXORMapped(_ endpoint: Endpoint) {
        let id = STUNTransactionID(
            high: UInt64(request.uint32(at: 4)) << 32 | UInt64(request.uint32(at: 8)),
            low: UInt64(request.uint32(at: 12)) << 32 | UInt64(request.uint32(at: 16))
        )
        add(.xorMappedAddress, id.exclusiveOr(endpoint))
    }

    mutating func add(_ error: STUNErrorCode) {
        put(STUNAttributeType.errorCode.rawValue)
        let reason = Array(error.reason.utf8.prefix(20))
        put(UInt16(4 + reason.count))
        put(UInt32(error.code / 100 & 7) << 8 | UInt32(error.code % 100))
        put(reason)
    }

    /// UNKNOWN-ATTRIBUTES: the types of `request` that `isUnknown` names, `most` at most.
    mutating func addUnknown(in request: UnsafeRawBufferPointer, most: Int, _ isUnknown: (STUNAttributeType) -> Bool) {
        put(STUNAttributeType.unknownAttributes.rawValue)
        let lengthAt = count
        put(0 as UInt16)
        var listed = 0
        var last: UInt16 = 0
        var at = STUNMessage.headerLength
        while at < request.count, listed < most {
            let type = STUNAttributeType(rawValue: request.uint16(at: at))
            if type == .messageIntegrity || type == .messageIntegritySHA256 { break }
            if isUnknown(type) {
                last = type.rawValue
                put(last)
                listed += 1
            }
            at += 4 + (Int(request.uint16(at: at + 2)) + 3) & ~3
        }
        // RFC 3489 11.2.10: no padding there, a type is repeated instead.
        let isClassic = request.uint32(at: 4) != stunMagicCookie
        if listed % 2 == 1 { put(isClassic ? last : 0) }
        set(UInt16(2 * (isClassic ? listed + listed % 2 : listed)), at: lengthAt)
    }

    /// PADDING of `wanted` zeros (RFC 5780 7.6): never more than the request brought, nor than fits any path's fragments.
    mutating func addPadding(_ wanted: Int) {
        let length = min(wanted, 8_192)
        put(STUNAttributeType.padding.rawValue)
        put(UInt16(length))
        let padded = (length + 3) & ~3
        UnsafeMutableRawBufferPointer(rebasing: buffer[count..<(count + padded)]).initializeMemory(as: UInt8.self, repeating: 0)
        count += padded
    }

    /// Adds SOFTWARE and FINGERPRINT, sets the length field; returns how long the answer is.
    mutating func finish() -> Int {
        if !software.isEmpty {
            put(STUNAttributeType.software.rawValue)
            put(UInt16(software.count))
            put(software)
        }
        guard hasFingerprint else {
            set(UInt16(count - STUNMessage.headerLength), at: 2)
            return count
        }
        set(UInt16(count - STUNMessage.headerLength + 8), at: 2)
        var crc = CRC32()
        crc.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        put(STUNAttributeType.fingerprint.rawValue)
        put(4 as UInt16)
        put(crc.value ^ 0x5354_554e)
        return count
    }

    private mutating func put(_ value: UInt16) {
        buffer.storeBytes(of: value.bigEndian, toByteOffset: count, as: UInt16.self)
        count += 2
    }

    private mutating func put(_ value: UInt32) {
        buffer.storeBytes(of: value.bigEndian, toByteOffset: count, as: UInt32.self)
        count += 4
    }

    private mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: $0) }
        count += bytes.count
        while count % 4 != 0 {
            buffer[count] = 0
            count += 1
        }
    }

    private func set(_ value: UInt16, at place: Int) {
        buffer.storeBytes(of: value.bigEndian, toByteOffset: place, as: UInt16.self)
    }
}

extension UnsafeRawBufferPointer {
    func uint16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    func uint32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
