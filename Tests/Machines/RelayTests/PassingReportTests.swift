import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("RTCP told in passing")
struct PassingReportTests {
    static let report = RTCPPacket.compound([.receiverReport(ssrc: 0xaaaa, [])])

    func heard(_ world: inout RelayWorld) -> [RelayTable.PassingReport] {
        var result: [RelayTable.PassingReport] = []
        while let report = world.table.nextPassingReport() { result.append(report) }
        return result
    }

    @Test(
        "where it is wanted, each party's is told with its dialog and the port it came to; of strangers nothing is",
        arguments: [false, true])
    func told(wants: Bool) {
        var settings = RelaySettings()
        settings.tellsReports = wants
        var world = RelayWorld(settings: settings)
        let setup = MediaLegSetup(port: RelayWorld.portA, local: RelayWorld.ours, callID: "call-a")
        let slot = world.table.open(RelayWorld.a, setup, at: world.now)!
        let remote = MediaRemote(
            epoch: 1, rtp: RelayWorld.publicA, rtcp: Endpoint("203.0.113.7:52012"), formats: [.pcmu],
            signallingSource: RelayWorld.publicA.address)
        world.table.remote(slot, remote, at: world.now)
        world.table.serve(slot, at: world.now)
        var stream = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&stream, 10)
        _ = world.arrive(Self.report, from: Endpoint("203.0.113.7:52012")!, on: RelayWorld.portA + 1)
        _ = world.arrive(Self.report, from: RelayWorld.attacker, on: RelayWorld.portA + 1)
        let told = heard(&world)
        #expect(told.map(\.callID) == (wants ? ["call-a"] : []))
        #expect(told.map(\.source) == (wants ? [Endpoint("203.0.113.7:52012")!] : []))
        #expect(told.map(\.local) == (wants ? [Endpoint(RelayWorld.ours, RelayWorld.portA + 1)] : []))
        #expect(told.map(\.bytes) == (wants ? [Self.report] : []))
    }
}
