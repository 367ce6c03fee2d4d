import Base
import STUN

/// Runs everything that reads STUN over `bytes`, for fuzzing: it must not trap, and what it accepts must print as it came.
package func exerciseSTUNParser(_ bytes: [UInt8]) {
    let claimed = isSTUN(bytes)
    guard let message = try? STUNMessage(bytes) else {
        _ = STUNMessage.length(startingWith: bytes[...])
        return
    }
    precondition(message.bytes == bytes)
    // A shared port leaves first bytes above 3 to other protocols (RFC 7983), though methods reach further.
    precondition(claimed || !message.transactionID.hasCookie || bytes[0] > 3)
    _ = message.fingerprintIsValid
    _ = message.reflexiveEndpoint
    _ = message.otherEndpoint
    _ = message.originEndpoint
    _ = message.errorCode
    _ = message.unknownRequired(knowing: [.changeRequest])
    var writer = STUNWriter(message.type, message.transactionID)
    for place in message.places {
        if let attribute = try? message.attribute(at: place) { _ = "\(attribute)" }
        writer.add(place.type, message.bytes[place.value])
    }
    // Written anew, only padding may differ.
    guard let again = try? STUNMessage(writer.bytes) else { preconditionFailure("a rewritten message does not parse") }
    precondition(again.places == message.places && again.type == message.type)
}
