import DNS
import Packet
import SIP
import STUN

/// One parser under attack.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case sip, stun, dns, packet

    /// Does everything that can be done with bytes from outside. Traps where the parser has a bug.
    public func exercise(_ bytes: [UInt8]) {
        switch self {
        case .sip: exerciseSIPParser(bytes)
        case .stun: exerciseSTUNParser(bytes)
        case .dns: exerciseDNSParser(bytes)
        case .packet: exercisePacketParser(bytes)
        }
    }
}
