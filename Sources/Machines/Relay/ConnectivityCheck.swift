import Base
import MediaControl
import STUN
import STUNStack

/// What an ICE-lite agent makes of a STUN message (RFC 8445 7.3, 2.5): it never asks, it answers.
struct ConnectivityCheck {
    /// To be sent back to where the request came from; nil: silence.
    var answer: [UInt8]?
    /// The request proved that the party sent it.
    var isValid = false
    /// The party chose this pair.
    var nominates = false
    /// An indication, which keeps a mapping alive and asks for nothing (RFC 8445 11).
    var isKeepalive = false

    init(_ bytes: [UInt8], from source: Endpoint, own: ICECredentials, peer: ICECredentials?) {
        guard let request = try? STUNMessage(bytes) else { return }
        guard request.type == .bindingRequest else {
            isKeepalive = request.type == .bindingIndication
            return
        }
        let key = STUNKey.shortTerm(password: own.password)
        guard let name = request.value(of: .username), let integrity = request.place(of: .messageIntegrity) else {
            // RFC 8489 9.1.3.
            refuse(.badRequest, request, key: nil)
            return
        }
        let expected = Array("\(own.ufrag):".utf8)
        let isOurs =
            name.starts(with: expected) && (peer.map { name.dropFirst(expected.count).elementsEqual($0.ufrag.utf8) } ?? true)
        guard isOurs, request.integrityIsValid(key) == true, request.fingerprintIsValid != false else {
            refuse(.unauthenticated, request, key: nil)
            return
        }
        // What follows the integrity code is not covered by it (RFC 8489 14.5).
        let proved = request.places.prefix { $0.start < integrity.start }
        if proved.contains(where: { $0.type == .iceControlled }) {
            // A lite agent is always controlled, and so cannot face another that is (RFC 8445 7.3.1.1).
            refuse(STUNErrorCode(487, "Role Conflict"), request, key: key)
            return
        }
        var writer = STUNWriter(.bindingSuccess, request.transactionID)
        writer.add(.xorMappedAddress(source))
        writer.addIntegrity(key)
        writer.addFingerprint()
        answer = writer.bytes
        isValid = true
        nominates = proved.contains { $0.type == .useCandidate }
    }

    /// Who proved nothing gets no more bytes back than came: the source may be somebody else's address.
    private mutating func refuse(_ code: STUNErrorCode, _ request: STUNMessage, key: STUNKey?) {
        var writer = STUNWriter(.bindingError, request.transactionID)
        writer.add(.errorCode(code))
        if let key { writer.addIntegrity(key) }
        writer.addFingerprint()
        if key != nil || writer.bytes.count <= request.bytes.count { answer = writer.bytes }
    }
}
