import Base
import RTP
import SIPStack

/// What is chosen about calls, rooms and services.
///
/// `CallSettings()` works: users call each other, rooms 8000 to 8099, echo 600, tone 601, one's own address 602.
public struct CallSettings: Sendable {
    /// A room that is more than its number.
    public struct Room: Hashable, Sendable {
        /// What is dialled: the user part of the Request-URI.
        public var name: String
        /// Digits to be dialled before entry; nil: none.
        public var pin: String?
        /// Digest user name of who may lock the room and remove others; nil: nobody.
        public var owner: String?
        /// Whether the room's mix is written to a WAV file.
        public var records: Bool

        public init(name: String, pin: String? = nil, owner: String? = nil, records: Bool = false) {
            self.name = name
            self.pin = pin
            self.owner = owner
            self.records = records
        }
    }

    /// Whether someone who proves nothing may call. He may not take the name of a user of ours.
    public var anonymousCalls = false
    /// Whether the media plane has an SRTP provider: without one SRTP is neither offered nor accepted.
    public var srtpAvailable = false
    /// What rooms and services speak, in order of preference; the payload types of dynamic ones are those of our own offers.
    public var codecs: [MediaFormat] = [
        MediaFormat(payloadType: 0, encoding: "PCMU", clockRate: 8000),
        MediaFormat(payloadType: 8, encoding: "PCMA", clockRate: 8000),
    ]
    /// Numbers that are rooms without further ado; nil: none.
    public var roomNumbers: ClosedRange<Int>? = 8000...8099
    /// Rooms with a name, a PIN, an owner or a recording. A number of `roomNumbers` may be among them.
    public var rooms: [Room] = []
    /// Numbers of the services; nil: there is none.
    public var echo: String? = "600"
    public var tone: String? = "601"
    public var address: String? = "602"
    /// Hz.
    public var toneFrequency = 440
    /// Users who may pick up each other's ringing calls (RFC 3891), by the user part of their address of record. Whoever is in no group
    /// picks up what rings on his own account alone.
    public var pickupGroups: [Set<String>] = []
    /// Users whose calls may make each other's phones answer by themselves (Alert-Info, Call-Info); to others such headers are not passed on.
    public var intercomGroups: [Set<String>] = []
    /// What becomes of a phone's 302.
    public enum Forwarding: String, Hashable, Sendable, CaseIterable {
        /// To users, rooms and services of ours it is followed; what leads elsewhere is a refusal.
        case follow
        /// As before, but what leads elsewhere is handed to the caller, whose phone may follow it.
        case passOn = "pass-on"
        /// It is a refusal.
        case refuse
    }

    public var forwarding = Forwarding.follow
    /// How long a call may ring, or ring on after it was forwarded; then 480.
    public var ringFor: Duration = .seconds(60)
    /// The longest an INVITE may stay without a final response, whatever rings (RFC 3261 16.6 Timer C).
    public var setupLimit: Duration = .seconds(180)
    /// Session-Expires of ours and the least we take (RFC 4028).
    public var session = SessionTimer.Settings()
    /// Seconds: a subscription shorter than this gets 423, a longer one than that is cut.
    public var shortestSubscription: UInt32 = 60
    public var longestSubscription: UInt32 = 7_200
    /// How long a call that ended waits for the verdicts of its media before its record is written without them.
    public var verdictWithin: Duration = .seconds(5)
    /// Whether media may be sent to an address in SDP that is not where the phone's SIP came from. Off, such an address gets nothing until
    /// media came from the phone: nobody can aim our media at others.
    public var trustsForeignAddresses = false
    public var timers = TransactionTimers()
    /// How long it may take to find out where a user can be rung; then 504.
    public var findWithin: Duration = .seconds(5)

    public init() {}

    func mayOpenMicrophone(of user: AddressOfRecord, _ caller: CallParty) -> Bool {
        caller.isVouched && user.domain == caller.address.domain
            && intercomGroups.contains { $0.contains(user.user) && $0.contains(caller.address.user) }
    }

    /// Whether one user may pick up what rings at another.
    func mayPickUp(_ user: AddressOfRecord, _ ringing: AddressOfRecord) -> Bool {
        user == ringing
            || user.domain == ringing.domain && pickupGroups.contains { $0.contains(user.user) && $0.contains(ringing.user) }
    }
}
