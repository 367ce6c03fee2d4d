import Base
import RegistrationClient
import NAT
import PhoneNode
import RouterNode
import ServerNode
import VirtualNetwork

/// Every combination of phone, router and server settings that matters to registration, each lived through for an hour.
public struct Matrix: Sendable {
    public var seed: UInt64
    /// Which phone: the seed's of 2007, or a current one.
    public var behaviour: PhoneSettings.Behaviour
    /// What "ALG on" means.
    public var alg: ALGChoice
    public var length: Duration
    /// The silences after which an inbound request is tried.
    public static let silences: [Duration] = [.seconds(30), .seconds(120), .seconds(600)]
    /// So many re-registrations for a changed mapping in an hour are flapping; one or two are the phone finding its place.
    public static let flappingFrom = 3

    public enum ALGChoice: String, Hashable, Sendable, CaseIterable {
        case speedtouch780 = "speedtouch-780"
        case linux
    }

    public init(
        seed: UInt64 = 2007, behaviour: PhoneSettings.Behaviour = .seed, alg: ALGChoice = .speedtouch780,
        length: Duration = .seconds(3_600)
    ) {
        self.seed = seed
        self.behaviour = behaviour
        self.alg = alg
        self.length = length
    }

    /// All cells, in the order of `MatrixCell.all`.
    public func run() -> [MatrixResult] { MatrixCell.all.map { run($0) } }

    /// One cell. The same seed and cell give the same result.
    public func run(_ cell: MatrixCell) -> MatrixResult {
        var trial = MatrixTrial(self, cell)
        return trial.run()
    }

    /// The links of one cell's world as captures, after its whole run.
    public func captures(_ cell: MatrixCell) -> [(link: String, pcap: [UInt8])] {
        var trial = MatrixTrial(self, cell, isRecorded: true)
        _ = trial.run()
        return trial.world.captures
    }
}
