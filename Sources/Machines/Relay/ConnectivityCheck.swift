import Base
import MediaControl
import STUN
import STUNStack

/// What an ICE-lite agent makes of a Binding request (RFC 8445 7.3, 2.5): it never asks, it answers.
struct ConnectivityCheck {
    /// To be sent back to where the request came from; nil: silence.
    var answer: [UInt8]?
    /// The request proved that the party sent it.
    var isValid = false
    /// The party chose this pair.
    var nominates = false

    private static let useCandidate: UInt16 = 0x0025
    private static let iceControlled: UInt16 = 0x8029

    init(_ bytes: [UInt8], from source: Endpoint, own: ICECredentials, peer: ICECredentials?) {
        guard let request = try? STUNMessage(bytes), request.type == .bindingRequest else { return }
        let key = STUNKey.shortTerm(password: own.password)
        guard let name = request.value(of: .username), request.place(of: .messageIntegrity) != nil else {
            // RFC 8489 9.1.3.
            answer = Self.error(.badRequest, to: request, key: nil)
            return
        }
        let expected = Array("\(own.ufrag):".utf8)
        let isOurs =
            name.starts(with: expected) && (peer.map { name.dropFirst(expected.count).elementsEqual($0.ufrag.utf8) } ?? true)
        guard isOurs, request.integrityIsValid(key) == true, request.fingerprintIsValid != false else {
            answer = Self.error(.unauthenticated, to: request, key: nil)
            return
        }
        if request.places.contains(where: { $0.type.rawValue == Self.iceControlled }) {
            // A lite agent is always controlled, and so cannot face another that is (RFC 8445 7.3.1.1).
            answer = Self.error(STUNErrorCode(487, "Role Conflict"), to: request, key: key)
            return
        }
        var writer = STUNWriter(.bindingSuccess, request.transactionID)
        writer.add(.xorMappedAddress(source))
        writer.addIntegrity(key)
        writer.addFingerprint()
        answer = writer.bytes
        isValid = true
        nominates = request.places.contains { $0.type.rawValue == Self.useCandidate }
    }

    private static func error(_ code: STUNErrorCode, to request: STUNMessage, key: STUNKey?) -> [UInt8] {
        var writer = STUNWriter(.bindingError, request.transactionID)
        writer.add(.errorCode(code))
        if let key { writer.addIntegrity(key) }
        writer.addFingerprint()
        return writer.bytes
    }
}
