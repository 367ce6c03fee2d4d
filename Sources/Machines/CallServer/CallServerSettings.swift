import Base
import SIPStack

extension CallServer {
    /// What is chosen about calls, rather than learnt.
    package struct Settings: Sendable {
        package var calls = CallSettings()
        package var limits = Limits()
        /// User-Agent header; empty: none.
        package var software = ""
        /// Off: requests inside calls go to Contacts that were proved.
        package var natHandling = true
        package var addresses = OwnAddresses([])

        package init() {}
    }

    /// The caps of its tables. A full one refuses, counts and traces; it never grows.
    package struct Limits: Sendable {
        package var calls = 10_000
        package var callsPerAccount = 1_000
        package var callRatePerAccount: Rate? = Rate(perMinute: 1_200, burst: 600)
        package var portPercentPerAccount = 50
        package var forks = 16
        package var forwardsPerCall = 10
        package var forwardsInARow = 5
        package var contactsPerForward = 16
        package var mediaStreams = 8
        package var legsPerCall = 64
        package var deliveries = 100_000
        package var lookUps = 20_000

        package init() {}
    }

    /// How often each thing happened.
    package struct Counters: Hashable, Sendable {
        package var callsStarted: UInt64 = 0
        package var callsAnswered: UInt64 = 0
        package var callsEnded: UInt64 = 0
        package var transfers: UInt64 = 0
        package var callsUnacknowledged: UInt64 = 0
        package var sessionsExpired: UInt64 = 0
        package var callTablesFull: UInt64 = 0
        package var callsWithoutPort: UInt64 = 0
        package var mediaElsewhere: UInt64 = 0
        package var glares: UInt64 = 0
        package var challengesRefused: UInt64 = 0
        package var verdictsMissing: UInt64 = 0
        package var outOfOrder: UInt64 = 0
        package var lookUpsOverdue: UInt64 = 0

        package init() {}
    }
}
