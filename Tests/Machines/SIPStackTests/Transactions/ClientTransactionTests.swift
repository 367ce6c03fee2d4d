import Base
import SIPStack
import Testing

private let start = Instant(seconds: 1_000)
private let ack: [UInt8] = [1]

private func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

@Suite("RFC 3261 17.1.1: INVITE client transaction")
struct ClientInviteTransactionTests {
    private func calling() -> ClientInviteTransaction { ClientInviteTransaction(isReliable: false, at: start) }

    /// The machine in each state, named.
    private func machine(_ name: String) -> ClientInviteTransaction {
        var machine = calling()
        switch name {
        case "proceeding": _ = machine.receive(status: 180, at: start)
        case "completed": _ = machine.receive(status: 486, ack: ack, at: start)
        case "accepted": _ = machine.receive(status: 200, at: start)
        case "terminated": machine.abandon()
        default: break
        }
        return machine
    }

    @Test("Timer A: the INVITE is sent seven times in all, and Timer B gives up at 32 s")
    func timerA() {
        var machine = calling()
        var sent: [Instant] = []
        while let next = machine.nextDeadline {
            let actions = machine.advance(to: next)
            if actions == .timeout { break }
            #expect(actions == .sendRequest)
            sent.append(next)
        }
        #expect(sent == [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(at))
        #expect(machine.state == .terminated)
    }

    @Test("Over a reliable transport nothing is sent again; Timer B is the only one, Timer D is zero")
    func reliable() {
        var machine = ClientInviteTransaction(isReliable: true, at: start)
        #expect(machine.nextDeadline == at(32_000))
        #expect(machine.advance(to: at(31_999)) == [])
        var refused = machine
        #expect(refused.receive(status: 404, ack: ack, at: at(1)) == [.sendACK, .deliver])
        #expect(refused.state == .terminated)
        #expect(machine.advance(to: at(32_000)) == .timeout)
    }

    private static let completed = ClientInviteTransaction.State.completed(ack: ack, timerD: at(32_010))
    private static let accepted = ClientInviteTransaction.State.accepted(timerM: at(32_010))

    private static let inviteResponses: [(String, Int, TransactionActions, ClientInviteTransaction.State)] = [
        ("calling", 100, TransactionActions.deliver, ClientInviteTransaction.State.proceeding),
        ("calling", 199, .deliver, .proceeding),
        ("calling", 200, .deliver, accepted),
        ("calling", 299, .deliver, accepted),
        ("calling", 300, [.sendACK, .deliver], completed),
        ("calling", 699, [.sendACK, .deliver], completed),
        ("proceeding", 180, .deliver, .proceeding),
        ("proceeding", 200, .deliver, accepted),
        ("proceeding", 486, [.sendACK, .deliver], completed),
        ("completed", 180, [], .completed(ack: ack, timerD: at(32_000))),
        ("completed", 200, [], .completed(ack: ack, timerD: at(32_000))),
        ("completed", 486, .sendACK, .completed(ack: ack, timerD: at(32_000))),
        ("accepted", 180, [], .accepted(timerM: at(32_000))),
        ("accepted", 200, .deliver, .accepted(timerM: at(32_000))),
        ("accepted", 486, [], .accepted(timerM: at(32_000))),
        ("terminated", 180, [], .terminated),
        ("terminated", 200, [], .terminated),
        ("terminated", 486, [], .terminated),
    ]

    @Test(
        "Every response in every state",
        arguments: inviteResponses)
    func responses(name: String, status: Int, actions: TransactionActions, state: ClientInviteTransaction.State) {
        var machine = machine(name)
        #expect(machine.receive(status: status, ack: ack, at: at(10)) == actions)
        #expect(machine.state == state)
    }

    @Test(
        "Deadlines, time and failure in every state",
        arguments: [
            ("calling", at(500), TransactionActions.sendRequest, TransactionActions.transportError),
            ("proceeding", nil, [], .transportError),
            ("completed", at(32_000), [], .transportError),
            ("accepted", at(32_000), [], []),
            ("terminated", nil, [], []),
        ] as [(String, Instant?, TransactionActions, TransactionActions)])
    func timeAndFailure(name: String, deadline: Instant?, onTime: TransactionActions, onFailure: TransactionActions) {
        var machine = machine(name)
        #expect(machine.nextDeadline == deadline)
        if let deadline {
            #expect(machine.advance(to: deadline - .nanoseconds(1)) == [])
            #expect(machine.advance(to: deadline) == onTime)
            if name != "calling" { #expect(machine.state == .terminated) }
        } else {
            #expect(machine.advance(to: .distantFuture) == [])
        }
        var failing = self.machine(name)
        #expect(failing.fail() == onFailure)
        #expect((failing.state == .terminated) == (onFailure == .transportError || name == "terminated"))
    }

    @Test("Timer D is at least 32 s, however short T1")
    func timerD() {
        var machine = ClientInviteTransaction(
            isReliable: false, timers: TransactionTimers(t1: .milliseconds(10), t2: .milliseconds(40)), at: start)
        _ = machine.receive(status: 500, ack: ack, at: start)
        #expect(machine.nextDeadline == at(32_000))
    }
}

@Suite("RFC 3261 17.1.2: non-INVITE client transaction")
struct ClientNonInviteTransactionTests {
    private func machine(_ name: String) -> ClientNonInviteTransaction {
        var machine = ClientNonInviteTransaction(isReliable: false, at: start)
        switch name {
        case "proceeding": _ = machine.receive(status: 100, at: start)
        case "completed": _ = machine.receive(status: 200, at: start)
        case "terminated": machine.abandon()
        default: break
        }
        return machine
    }

    @Test("Timer E doubles up to T2: eleven sends in all, and Timer F gives up at 32 s")
    func timerE() {
        var machine = machine("trying")
        var sent: [Instant] = []
        while let next = machine.nextDeadline {
            let actions = machine.advance(to: next)
            if actions == .timeout { break }
            #expect(actions == .sendRequest)
            sent.append(next)
        }
        #expect(sent == [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(at))
        #expect(machine.state == .terminated)
    }

    @Test("After a provisional response Timer E goes on at T2")
    func proceeding() {
        var machine = machine("proceeding")
        #expect(machine.nextDeadline == at(500))
        #expect(machine.advance(to: at(500)) == .sendRequest)
        #expect(machine.nextDeadline == at(4_500))
        #expect(machine.advance(to: at(4_500)) == .sendRequest)
        #expect(machine.state == .proceeding(timerE: at(8_500), timerF: at(32_000)))
        #expect(machine.advance(to: at(32_000)) == .timeout)
    }

    private static let nonInviteResponses: [(String, Int, TransactionActions, ClientNonInviteTransaction.State)] = [
        (
            "trying", 100, TransactionActions.deliver,
            ClientNonInviteTransaction.State.proceeding(timerE: at(500), timerF: at(32_000))
        ),
        ("trying", 200, .deliver, .completed(timerK: at(5_010))),
        ("trying", 503, .deliver, .completed(timerK: at(5_010))),
        ("proceeding", 100, .deliver, .proceeding(timerE: at(500), timerF: at(32_000))),
        ("proceeding", 404, .deliver, .completed(timerK: at(5_010))),
        ("completed", 100, [], .completed(timerK: at(5_000))),
        ("completed", 200, [], .completed(timerK: at(5_000))),
        ("terminated", 100, [], .terminated),
        ("terminated", 200, [], .terminated),
    ]

    @Test(
        "Every response in every state",
        arguments: nonInviteResponses)
    func responses(name: String, status: Int, actions: TransactionActions, state: ClientNonInviteTransaction.State) {
        var machine = machine(name)
        #expect(machine.receive(status: status, at: at(10)) == actions)
        #expect(machine.state == state)
    }

    private static let nonInviteFailures: [(String, TransactionActions)] = [
        ("trying", TransactionActions.transportError), ("proceeding", .transportError), ("completed", []), ("terminated", []),
    ]

    @Test(
        "Failure in every state",
        arguments: nonInviteFailures)
    func failure(name: String, actions: TransactionActions) {
        var machine = machine(name)
        #expect(machine.fail() == actions)
        #expect((machine.state == .terminated) == (name != "completed"))
    }

    @Test("Over a reliable transport nothing is sent again, and Timer K is zero")
    func reliable() {
        var machine = ClientNonInviteTransaction(isReliable: true, at: start)
        #expect(machine.nextDeadline == at(32_000))
        #expect(machine.receive(status: 100, at: at(1)) == .deliver)
        #expect(machine.nextDeadline == at(32_000))
        #expect(machine.receive(status: 200, at: at(2)) == .deliver)
        #expect(machine.state == .terminated)
    }

    @Test("A late advance does one thing, and the next interval counts from then")
    func late() {
        var machine = machine("trying")
        #expect(machine.advance(to: at(10_000)) == .sendRequest)
        #expect(machine.nextDeadline == at(11_000))
        #expect(machine.advance(to: at(40_000)) == .timeout)
    }
}
