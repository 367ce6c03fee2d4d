import MediaControl
import RTP

/// An SRTP transform that can work in the receive buffer: no copies.
public protocol SRTPInPlace: SRTPTransform {
    /// The plain packet's length; nil: drop it. `packet` may be larger than what arrived.
    func unprotect(_ packet: UnsafeMutableRawBufferPointer, length: Int, isRTCP: Bool) -> Int?
    /// The protected packet's length; nil: it does not fit, or cannot be protected.
    func protect(_ packet: UnsafeMutableRawBufferPointer, length: Int, isRTCP: Bool) -> Int?
}

/// A leg's SRTP, by whichever way its provider offers.
struct SRTPContext: Sendable {
    let parameters: SRTPParameters
    private let transform: any SRTPTransform
    private let inPlace: (any SRTPInPlace)?

    init(_ parameters: SRTPParameters, _ transform: any SRTPTransform) {
        self.parameters = parameters
        self.transform = transform
        inPlace = transform as? any SRTPInPlace
    }

    func unprotect(_ packet: UnsafeMutableRawBufferPointer, _ length: Int, isRTCP: Bool) -> Int? {
        if let inPlace { return inPlace.unprotect(packet, length: length, isRTCP: isRTCP) }
        return Self.replace(packet, by: transform.unprotect(Array(packet[0..<length]), isRTCP: isRTCP))
    }

    func protect(_ packet: UnsafeMutableRawBufferPointer, _ length: Int, isRTCP: Bool) -> Int? {
        if let inPlace { return inPlace.protect(packet, length: length, isRTCP: isRTCP) }
        return Self.replace(packet, by: transform.protect(Array(packet[0..<length]), isRTCP: isRTCP))
    }

    private static func replace(_ packet: UnsafeMutableRawBufferPointer, by bytes: [UInt8]?) -> Int? {
        guard let bytes, bytes.count <= packet.count else { return nil }
        packet.copyBytes(from: bytes)
        return bytes.count
    }
}
