import Base
import Lab
import PhoneNode
import RegistrationClient
import RouterNode
import ServerNode
import Testing

/// Played once; every test looks at the same run.
let story = Story().play()

@Suite("The story of 2007, as it comes out of the boxes' own rules")
struct StoryTests {
    func at(_ milliseconds: Int64, _ chapter: Story.Chapter) -> Instant { chapter.start + .milliseconds(milliseconds) }

    @Test("act 1: REGISTERs reach the server from ports 52899, 52896 and 52899 again, 20, 61 and 260 ms after the start")
    func ports() {
        let first = story[0]
        let registers = first.ledger.registers.prefix(3)
        #expect(registers.map(\.source.port) == [52_899, 52_896, 52_899])
        #expect(registers.map(\.cseq) == [1, 2, 3])
        #expect(registers.map(\.at) == [20, 61, 260].map { at($0, first) })
        #expect(Set(registers.map(\.source.address)) == [IPAddress("192.0.2.80")!])
    }

    @Test("act 1: STUN sees the SIP port at 52898, the audio port at 52897: other mappings than SIP's")
    func stun() {
        let first = story[0]
        #expect(first.ledger.mapped.prefix(4).map(\.mapping.external.port) == [52_899, 52_898, 52_897, 52_896])
        var seen: [UInt16] = []
        for record in first.records {
            if case .phone(.stunObserved(_, _, _, let mapped)) = record.trace { seen.append(mapped.port) }
        }
        #expect(Array(seen.prefix(2)) == [52_898, 52_897])
    }

    @Test("act 1: challenges A to 52899, B to 52896, C to 52899; CSeq 3 answers A although B is newer")
    func challenges() {
        let first = story[0]
        let challenges = Array(first.ledger.challenges.prefix(3))
        #expect(challenges.map(\.to.port) == [52_899, 52_896, 52_899])
        #expect(challenges.map(\.cseq) == [1, 2, 3])
        #expect(challenges.map(\.isStale) == [false, false, true])
        #expect(Set(challenges.map(\.nonce)).count == 3)
        let registers = Array(first.ledger.registers.prefix(3))
        #expect(registers.map(\.nonce) == [nil, nil, challenges[0].nonce])
    }

    @Test("act 1: the phone receives A at 240 ms, ignores B at 281 ms, and gives up on C at 480 ms")
    func phone() {
        let first = story[0]
        let nonces = first.ledger.challenges.map(\.nonce)
        var received: [(Instant, SIPMeaning)] = []
        for record in first.records {
            if case .phone(.received(let message)) = record.trace { received.append((record.at, message.meaning)) }
        }
        #expect(received.prefix(3).map(\.0) == [240, 281, 480].map { at($0, first) })
        #expect(received[0].1 == .challenge(cseq: 1, number: 1, nonce: nonces[0]))
        #expect(received[1].1 == .challengeIgnored(cseq: 2, number: 2, nonce: nonces[1]))
        #expect(received[2].1 == .staleChallenge(cseq: 3, number: 3, nonce: nonces[2]))
    }

    @Test("act 1: the server logs what Asterisk logged: correct auth, but based on a stale nonce")
    func serverLog() {
        let first = story[0]
        let verdicts = first.ledger.verdicts
        #expect(verdicts.allSatisfy { $0.isStale && !$0.isAccepted })
        #expect(verdicts[0].cseq == 3 && verdicts[0].nonce == first.ledger.challenges[0].nonce)
        #expect(verdicts[0].text.hasPrefix("Correct auth, but based on stale nonce received from "))
    }

    @Test("act 1: the panel says \"Authorization error\", and the failure repeats at each STUN tick")
    func ticks() {
        let first = story[0]
        let errors = first.ledger.panels.filter { $0.status.panel == "Authorization error" }
        #expect(errors.map(\.at) == [480, 300_480, 600_480].map { at($0, first) })
        for error in errors {
            let retryAt = retry(error.at, first)
            #expect(error.status.registration == .authorizationError(.challengedAgain(stale: true), retryAt: retryAt))
        }
        #expect(!first.ledger.panels.contains { $0.status.isRegistered })
        #expect(first.ledger.registers.count == 9)
        #expect(
            first.ledger.registers.map(\.source.port) == [52_899, 52_896, 52_899, 52_899, 52_896, 52_899, 52_899, 52_896, 52_899])
        #expect(first.world.server(first.stage.server)?.bindingCount == 0)
    }

    private func retry(_ time: Instant, _ chapter: Story.Chapter) -> Instant {
        let tick = Story.stunInterval.wholeMilliseconds
        return at(((time - chapter.start).wholeMilliseconds / tick + 1) * tick, chapter)
    }

    @Test("act 2: the same ports, the same order, the older challenge answered: Pinhole's server accepts it at once")
    func ownServer() {
        let second = story[1]
        #expect(second.ledger.registers.prefix(3).map(\.source.port) == [52_899, 52_896, 52_899])
        #expect(second.ledger.registers.prefix(3).map(\.at) == [20, 61, 260].map { at($0, second) })
        let challenges = second.ledger.challenges
        #expect(second.ledger.registers[2].nonce == challenges[0].nonce)
        #expect(second.ledger.verdicts.first?.isAccepted == true)
        #expect(second.ledger.verdicts.allSatisfy { !$0.isStale })
        #expect(second.ledger.panels.first { $0.status.isRegistered }?.at == at(480, second))
        #expect(second.world.status(of: second.stage.phone)?.isRegistered == true)
    }

    @Test("act 3: appinfo shows the ALG enabled, the seed's command line disables it, appinfo shows that, saveall keeps it")
    func commandLine() {
        let third = story[2]
        var said: [String] = []
        for record in third.records where record.box == third.stage.router {
            if case .text(let text) = record.trace { said.append(text) }
        }
        #expect(said.count == 4)
        #expect(said[0].contains("SIP_ALG       enabled"))
        #expect(said[2].contains("SIP_ALG       disabled"))
        #expect(Story.commands[1] == "connection appconfig application=SIP SIP_ALG=disabled")
        #expect(third.world.router(third.stage.router)?.isALGOn == false)
    }

    @Test("act 3: with the ALG off chan_sip sees one port, accepts every answer, and the phone stays registered for the hour")
    func cure() {
        let third = story[2]
        #expect(Set(third.ledger.registers.map(\.source)).count == 1)
        #expect(third.ledger.verdicts.allSatisfy { $0.isAccepted })
        #expect(third.ledger.verdicts.count == 3)
        let panels = third.ledger.panels.drop { !$0.status.isRegistered }
        #expect(!panels.isEmpty)
        #expect(panels.allSatisfy { $0.status.isRegistered })
        // STUN and SIP share one mapping now: what STUN reports is what the registrar sees, and no tick surprises any more.
        #expect(third.ledger.mappingSurprises == 1)
        let mapping = third.world.status(of: third.stage.phone)?.mapping
        #expect(mapping?.stun == mapping?.registrar && mapping?.stun == third.ledger.registers.last?.source)
    }

    @Test("act 3: the phone can be reached at the end")
    func reached() {
        var world = story[2].world
        let stage = story[2].stage
        world.perform(.probe(stage.server, stage.aor))
        let isAnswered = world.run(until: world.now + .seconds(33)) { $0.probeOutcome(stage.server, stage.aor) != nil }
        #expect(isAnswered)
        #expect(world.probeOutcome(stage.server, stage.aor)?.first?.isAnswered == true)
    }

    @Test("the same seed tells the same story to the byte, another seed the same facts with other nonces")
    func determinism() {
        func bytes(_ seed: UInt64) -> [[UInt8]] {
            Story(seed: seed, isRecorded: true).play(.failure).world.captures.map(\.pcap)
        }
        let once = bytes(2007)
        #expect(once == bytes(2007))
        let other = Story(seed: 1).play(.failure)
        #expect(bytes(1) != once)
        #expect(other.ledger.registers.map(\.source.port) == story[0].ledger.registers.map(\.source.port))
        #expect(other.ledger.challenges[0].nonce != story[0].ledger.challenges[0].nonce)
    }
}
