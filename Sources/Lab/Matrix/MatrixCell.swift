import Base
import NAT
import ServerNode

/// One combination of settings that the matrix tries.
public struct MatrixCell: Hashable, Sendable {
    public var phoneUsesSTUN: Bool
    public var routerALG: Bool
    public var natHandling: Bool
    public var server: ServerSettings.Profile
    public var mapping: Dependence
    public var filtering: Dependence
    public var udpTimer: Duration

    public init(
        phoneUsesSTUN: Bool, routerALG: Bool, natHandling: Bool, server: ServerSettings.Profile, mapping: Dependence,
        filtering: Dependence, udpTimer: Duration
    ) {
        self.phoneUsesSTUN = phoneUsesSTUN
        self.routerALG = routerALG
        self.natHandling = natHandling
        self.server = server
        self.mapping = mapping
        self.filtering = filtering
        self.udpTimer = udpTimer
    }

    /// All 288, in a fixed order: STUN, ALG, NAT handling, server, mapping, filtering, timer; the last varies fastest.
    public static let all: [MatrixCell] = {
        var cells: [MatrixCell] = []
        for stun in [false, true] {
            for alg in [false, true] {
                for handling in [false, true] {
                    for server in [ServerSettings.Profile.chanSIP, .pinhole] {
                        for mapping in Dependence.allCases {
                            for filtering in Dependence.allCases {
                                for timer in [30, 300] {
                                    cells.append(
                                        MatrixCell(
                                            phoneUsesSTUN: stun, routerALG: alg, natHandling: handling, server: server,
                                            mapping: mapping, filtering: filtering, udpTimer: .seconds(timer)))
                                }
                            }
                        }
                    }
                }
            }
        }
        return cells
    }()
}

extension Dependence {
    /// The RFC 4787 term, lower case with hyphens.
    public var name: String {
        switch self {
        case .endpointIndependent: "endpoint-independent"
        case .addressDependent: "address-dependent"
        case .addressAndPortDependent: "address-and-port-dependent"
        }
    }
}

/// What came of one cell.
public struct MatrixResult: Hashable, Sendable {
    /// Whether an inbound request got through after a silence.
    public struct Reach: Hashable, Sendable {
        /// How long nothing but the configured keepalives had passed.
        public var silence: Duration
        /// nil: so long a silence never came, as the phone kept registering.
        public var isReached: Bool?
    }

    /// What a call to the server's echo test came to, made when the run was over.
    public enum Audio: Hashable, Sendable {
        /// The phone heard itself: its sound went both ways.
        case bothWays
        /// The call stood, but it did not.
        case broken(because: String)
        case notAnswered(because: String)
        /// The server's profile takes no calls.
        case noCalls
    }

    public var cell: MatrixCell
    /// At the end of the run the phone says so and the server agrees.
    public var isRegistered: Bool
    /// The share of the run in which the phone's panel said "Registered", 0...1.
    public var registeredShare: Double
    /// After 30, 120 and 600 s.
    public var reach: [Reach]
    /// The phone registered again and again because STUN and its Contact disagreed.
    public var isFlapping: Bool
    /// REGISTERs sent for that reason.
    public var mappingSurprises: Int
    /// REGISTERs sent in all, retransmissions left out.
    public var registers: Int
    /// In one line, in plain words.
    public var reason: String
    public var audio: Audio = .noCalls
}
