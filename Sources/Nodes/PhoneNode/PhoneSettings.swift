import Base
import RegistrationClient

/// What a person enters into the phone: identity, servers, NAT settings, timers, calls.
///
/// A plain value; the zero-thought defaults are those of a current phone. `behaviour: .seed` turns it into the phone of 2007. What belongs to
/// the registration reads as the phone's own: `expires` is `registration.expires`.
@dynamicMemberLookup
public struct PhoneSettings: Hashable, Sendable {
    public typealias Identity = RegistrationSettings.Identity
    public typealias Behaviour = RegistrationSettings.Behaviour
    public typealias Keepalive = RegistrationSettings.Keepalive
    public typealias STUNServer = RegistrationSettings.STUNServer
    public typealias Timers = RegistrationSettings.Timers

    public var registration: RegistrationSettings
    /// Whether `.start` registers; without it the phone only makes and takes calls, and needs no password.
    public var registers = true
    /// nil: the phone registers and answers questions, but makes and takes no calls.
    public var calls: CallSettings?

    public subscript<Value>(dynamicMember path: WritableKeyPath<RegistrationSettings, Value>) -> Value {
        get { registration[keyPath: path] }
        set { registration[keyPath: path] = newValue }
    }

    public init(
        identity: Identity, behaviour: Behaviour = .modern, locals: [Endpoint], transport: SIPTransport = .udp,
        expires: UInt32 = 3600,
        stunServer: STUNServer? = nil, stunInterval: Duration = .seconds(120), keepalive: Keepalive = .stun,
        keepaliveInterval: Duration = .seconds(25), rport: Bool = true,
        instanceID: String? = nil, userAgent: String = "Pinhole", dnsServers: [Endpoint] = [], dnsPort: UInt16? = nil,
        rtpPort: UInt16 = 16_384, timers: Timers = Timers(), registers: Bool = true, calls: CallSettings? = nil
    ) {
        registration = RegistrationSettings(
            identity: identity, behaviour: behaviour, locals: locals, transport: transport, expires: expires,
            stunServer: stunServer, stunInterval: stunInterval, keepalive: keepalive, keepaliveInterval: keepaliveInterval,
            rport: rport, instanceID: instanceID, userAgent: userAgent, dnsServers: dnsServers, dnsPort: dnsPort,
            rtpPort: rtpPort, timers: timers)
        self.registers = registers
        self.calls = calls
    }

    /// The phone of the story: a SNOM 300 of 2007 with STUN switched on.
    public static func seed(identity: Identity, local: Endpoint, stunServer: STUNServer) -> PhoneSettings {
        PhoneSettings(
            identity: identity, behaviour: .seed, locals: [local], stunServer: stunServer, stunInterval: .seconds(300),
            keepalive: .none, instanceID: nil, userAgent: "snom300/6.5.8", rtpPort: 61_000)
    }
}
