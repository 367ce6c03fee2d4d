import Base
import Lab
import NAT
import ServerNode
import Testing

@Suite("The matrix")
struct MatrixTests {
    @Test("288 cells, all different")
    func cells() {
        #expect(MatrixCell.all.count == 288)
        #expect(Set(MatrixCell.all).count == 288)
    }

    func cell(
        stun: Bool = false, alg: Bool = false, nat: Bool = true, _ server: ServerSettings.Profile = .pinhole,
        _ mapping: Dependence = .endpointIndependent, _ filtering: Dependence = .addressAndPortDependent, timer: Int64 = 30
    ) -> MatrixResult {
        Matrix().run(
            MatrixCell(
                phoneUsesSTUN: stun, routerALG: alg, natHandling: nat, server: server, mapping: mapping, filtering: filtering,
                udpTimer: .seconds(timer)))
    }

    @Test("the seed's cell: STUN, ALG, chan_sip: never registered, and the reason names the stale nonce")
    func seed() {
        let result = cell(stun: true, alg: true, .chanSIP)
        #expect(!result.isRegistered && result.registeredShare == 0)
        #expect(result.reason.contains("stale nonce"))
        #expect(!result.reach.contains { $0.isReached == true })
    }

    @Test("the same with Pinhole's server: registered, though the phone flaps")
    func ownServer() {
        let result = cell(stun: true, alg: true)
        #expect(result.isRegistered && result.isFlapping)
        #expect(result.reach[0].isReached == true)
    }

    @Test("a 30 s timer and no keepalive: registered, lost after 120 s of silence; with the server's keepalive never lost")
    func keepalive() {
        let without = cell(.chanSIP)
        #expect(without.isRegistered)
        #expect(without.reach.map(\.isReached)[1...] == [false, false])
        #expect(without.reason.contains("UDP timer 30 s"))
        let with = cell()
        #expect(with.isRegistered && with.reach.map(\.isReached) == [true, true, true])
        #expect(with.reason.contains("the server's OPTIONS every 25 s keep the mapping"))
    }

    @Test("no NAT handling, no STUN, no ALG: requests go to the private Contact and end on the Internet")
    func privateContact() {
        let result = cell(nat: false, .chanSIP, timer: 300)
        #expect(result.isRegistered)
        #expect(result.reach.map(\.isReached) == [false, false, false])
        #expect(result.reason.contains("private address 192.168.1.64"))
    }

    @Test("an ALG that keeps SIP's mapping for 600 s bridges 120 s, not 600 s; the reason names its timer, not the NAT's")
    func algTimer() {
        let result = cell(alg: true, .chanSIP)
        #expect(result.reach.map(\.isReached) == [true, true, false])
        #expect(result.reason.contains("the ALG's own timer 600 s"))
    }

    @Test(
        "a current phone behind a current router: every cell with Pinhole's server and NAT handling is registered and reachable")
    func modern() {
        let matrix = Matrix(behaviour: .modern)
        for cell in MatrixCell.all where cell.server == .pinhole && cell.natHandling && cell.mapping == .addressAndPortDependent {
            let result = matrix.run(cell)
            #expect(result.isRegistered, "\(cell): \(result.reason)")
            #expect(!result.isFlapping, "\(cell): \(result.reason)")
            #expect(result.reach[0].isReached == true, "\(cell): \(result.reason)")
        }
    }

    @Test(
        "with Pinhole's server a call has audio both ways behind every kind of mapping and filtering, helper or not, STUN or not",
        arguments: [false, true])
    func audio(natHandling: Bool) {
        for cell in MatrixCell.all
        where cell.server == .pinhole && cell.natHandling == natHandling && cell.udpTimer == .seconds(30) {
            let matrix = Matrix(length: .seconds(120))
            let result = matrix.run(cell)
            #expect(result.audio == .bothWays, "\(cell)")
        }
    }

    @Test("chan_sip's profile takes no calls, and the matrix does not pretend otherwise")
    func noCalls() { #expect(cell(.chanSIP).audio == .noCalls) }

    @Test("every cell of a sample gives the same result twice", arguments: [0, 77, 150, 287])
    func determinism(index: Int) {
        let cell = MatrixCell.all[index]
        #expect(Matrix(seed: 9).run(cell) == Matrix(seed: 9).run(cell))
    }
}
