import Base
import SIPStack
import Testing

private let start = Instant(seconds: 1_000)

private func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

@Suite("RFC 3261 17.2.1: INVITE server transaction")
struct ServerInviteTransactionTests {
    private func machine(_ name: String) -> ServerInviteTransaction {
        var machine = ServerInviteTransaction(isReliable: false, at: start)
        switch name {
        case "ringing": _ = machine.respond(status: 180, [180], at: start)
        case "completed": _ = machine.respond(status: 486, [48], at: start)
        case "confirmed":
            _ = machine.respond(status: 486, [48], at: start)
            _ = machine.receiveACK(at: start)
        case "accepted": _ = machine.respond(status: 200, [200], at: start)
        case "terminated":
            _ = machine.respond(status: 486, [48], at: start)
            _ = machine.advance(to: at(32_000))
        default: break
        }
        return machine
    }

    @Test("A user silent for 200 ms makes a 100 due, once")
    func trying() {
        var machine = machine("proceeding")
        #expect(machine.nextDeadline == at(200))
        #expect(machine.advance(to: at(199)) == [])
        #expect(machine.advance(to: at(200)) == .makeTrying)
        #expect(machine.nextDeadline == nil)
        #expect(machine.respond(status: 100, [100], at: at(200)) == .sendResponse)
        #expect(machine.receiveRetransmission() == .sendResponse)
        #expect(machine.response == [100])
    }

    @Test("Timer G repeats a refusal up to T2 apart, Timer H gives up at 32 s")
    func timerG() {
        var machine = machine("completed")
        var sent: [Instant] = []
        while let next = machine.nextDeadline {
            let actions = machine.advance(to: next)
            if actions == .timeout { break }
            #expect(actions == .sendResponse)
            sent.append(next)
        }
        #expect(sent == [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(at))
        #expect(machine.state == .terminated)
    }

    @Test(
        "Every event in every state: retransmission, ACK, failure",
        arguments: [
            ("proceeding", [], [], .transportError),
            ("ringing", .sendResponse, [], .transportError),
            ("completed", .sendResponse, [], .transportError),
            ("confirmed", [], [], []),
            ("accepted", [], .deliver, .transportError),
            ("terminated", [], [], []),
        ] as [(String, TransactionActions, TransactionActions, TransactionActions)])
    func events(name: String, again: TransactionActions, ack: TransactionActions, failure: TransactionActions) {
        var machine = machine(name)
        let before = machine.state
        #expect(machine.receiveRetransmission() == again)
        #expect(machine.fail() == failure)
        #expect(machine.state == before)
        #expect(machine.receiveACK(at: at(10)) == ack)
        if name == "completed" {
            #expect(machine.state == .confirmed(timerI: at(5_010)))
            #expect(machine.advance(to: at(5_010)) == [])
            #expect(machine.state == .terminated)
        } else {
            #expect(machine.state == before)
        }
    }

    private static let inviteResponses: [(String, Int, TransactionActions, ServerInviteTransaction.State)] = [
        ("proceeding", 180, TransactionActions.sendResponse, ServerInviteTransaction.State.proceeding(last: [9], trying: nil)),
        ("proceeding", 200, .sendResponse, .accepted(response: [9], timerL: at(32_010))),
        (
            "proceeding", 404, .sendResponse,
            .completed(response: [9], timerG: at(510), interval: .milliseconds(500), timerH: at(32_010))
        ),
        ("ringing", 183, .sendResponse, .proceeding(last: [9], trying: nil)),
        ("ringing", 200, .sendResponse, .accepted(response: [9], timerL: at(32_010))),
        ("accepted", 180, .refused, .accepted(response: [200], timerL: at(32_000))),
        ("accepted", 200, .sendResponse, .accepted(response: [9], timerL: at(32_000))),
        ("accepted", 500, .refused, .accepted(response: [200], timerL: at(32_000))),
        (
            "completed", 200, .refused,
            .completed(response: [48], timerG: at(500), interval: .milliseconds(500), timerH: at(32_000))
        ),
        ("confirmed", 200, .refused, .confirmed(timerI: at(5_000))),
        ("terminated", 200, .refused, .terminated),
    ]

    @Test(
        "Every response of the user in every state",
        arguments: inviteResponses)
    func responses(name: String, status: Int, actions: TransactionActions, state: ServerInviteTransaction.State) {
        var machine = machine(name)
        #expect(machine.respond(status: status, [9], at: at(10)) == actions)
        #expect(machine.state == state)
    }

    @Test("RFC 6026 7.1: Timer L ends the accepted state after 64*T1, silently")
    func timerL() {
        var machine = machine("accepted")
        #expect(machine.nextDeadline == at(32_000))
        #expect(machine.advance(to: at(31_999)) == [])
        #expect(machine.advance(to: at(32_000)) == [])
        #expect(machine.state == .terminated)
    }

    @Test("Over a reliable transport a refusal is not repeated, but the ACK is awaited; Timer I is zero")
    func reliable() {
        var machine = ServerInviteTransaction(isReliable: true, at: start)
        _ = machine.respond(status: 486, [1], at: start)
        #expect(machine.nextDeadline == at(32_000))
        var acknowledged = machine
        #expect(acknowledged.receiveACK(at: at(10)) == [])
        #expect(acknowledged.state == .terminated)
        #expect(machine.advance(to: at(32_000)) == .timeout)
    }
}

@Suite("RFC 3261 17.2.2 and RFC 4320: non-INVITE server transaction")
struct ServerNonInviteTransactionTests {
    private func machine(_ name: String) -> ServerNonInviteTransaction {
        var machine = ServerNonInviteTransaction(isReliable: false, at: start)
        switch name {
        case "late":
            _ = machine.advance(to: at(3_500))
        case "proceeding":
            _ = machine.advance(to: at(3_500))
            _ = machine.respond(status: 100, [100], at: at(3_500))
        case "completed": _ = machine.respond(status: 200, [200], at: start)
        case "terminated":
            _ = machine.respond(status: 200, [200], at: start)
            _ = machine.advance(to: at(32_000))
        default: break
        }
        return machine
    }

    @Test("RFC 4320 4.1: a 100 is due when a client's Timer E has reached T2, at 3.5 s, not before")
    func trying() {
        var machine = machine("trying")
        #expect(machine.nextDeadline == at(3_500))
        #expect(machine.advance(to: at(3_499)) == [])
        #expect(machine.respond(status: 100, [100], at: at(3_499)) == .refused)
        #expect(machine.advance(to: at(3_500)) == .makeTrying)
        #expect(machine.nextDeadline == nil)
        #expect(machine.respond(status: 100, [100], at: at(3_500)) == .sendResponse)
        var reliable = ServerNonInviteTransaction(isReliable: true, at: start)
        #expect(reliable.respond(status: 100, [100], at: start) == .sendResponse)
    }

    private static let nonInviteResponses: [(String, Int, TransactionActions, ServerNonInviteTransaction.State)] = [
        ("trying", 180, TransactionActions.refused, ServerNonInviteTransaction.State.trying(trying: at(3_500))),
        ("trying", 408, .refused, .trying(trying: at(3_500))),
        ("trying", 200, .sendResponse, .completed(response: [9], timerJ: at(36_000))),
        ("late", 100, .sendResponse, .proceeding(response: [9])),
        ("late", 181, .refused, .trying(trying: nil)),
        ("proceeding", 100, .refused, .proceeding(response: [100])),
        ("proceeding", 408, .refused, .proceeding(response: [100])),
        ("proceeding", 404, .sendResponse, .completed(response: [9], timerJ: at(36_000))),
        ("completed", 200, .refused, .completed(response: [200], timerJ: at(32_000))),
        ("completed", 100, .refused, .completed(response: [200], timerJ: at(32_000))),
        ("terminated", 200, .refused, .terminated),
    ]

    @Test(
        "Every response of the user in every state",
        arguments: nonInviteResponses)
    func responses(name: String, status: Int, actions: TransactionActions, state: ServerNonInviteTransaction.State) {
        var machine = machine(name)
        #expect(machine.respond(status: status, [9], at: name == "trying" && status == 100 ? start : at(4_000)) == actions)
        #expect(machine.state == state)
    }

    @Test(
        "Retransmission and failure in every state",
        arguments: [
            ("trying", [], []), ("late", [], []), ("proceeding", .sendResponse, .transportError),
            ("completed", .sendResponse, .transportError), ("terminated", [], []),
        ] as [(String, TransactionActions, TransactionActions)])
    func events(name: String, again: TransactionActions, failure: TransactionActions) {
        var machine = machine(name)
        let before = machine.state
        #expect(machine.receiveRetransmission() == again)
        #expect(machine.state == before)
        #expect(machine.fail() == failure)
        #expect(machine.state == (failure.isEmpty ? before : .terminated))
    }

    @Test("Timer J forgets after 64*T1, over a reliable transport at once")
    func timerJ() {
        var machine = machine("completed")
        #expect(machine.advance(to: at(31_999)) == [])
        #expect(machine.response == [200])
        #expect(machine.advance(to: at(32_000)) == [])
        #expect(machine.state == .terminated)
        var reliable = ServerNonInviteTransaction(isReliable: true, at: start)
        _ = reliable.respond(status: 200, [200], at: at(5))
        #expect(reliable.nextDeadline == at(5))
        #expect(reliable.advance(to: at(5)) == [])
        #expect(reliable.state == .terminated)
    }
}
