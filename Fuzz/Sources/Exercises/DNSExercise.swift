import Base
import DNS

/// Runs everything that reads DNS over `bytes`, for fuzzing: it must not trap, and what it accepts must survive printing.
package func exerciseDNSParser(_ bytes: [UInt8]) {
    var zone = DNSZone(apex: .root)
    zone.add(DNSRecord(.root, .txt([Array("lab".utf8)])))
    _ = zone.answer(bytes)
    guard let message = try? DNSMessage(bytes) else { return }
    for question in message.questions { _ = question.description }
    let printed = message.bytes()
    guard let again = try? DNSMessage(printed) else { preconditionFailure("a printed message does not parse") }
    // Printing moves OPT behind the other additional records and may leave out what makes the message too long.
    if !again.isTruncated || message.isTruncated {
        precondition(again.questions == message.questions && again.answers == message.answers)
    }
}
