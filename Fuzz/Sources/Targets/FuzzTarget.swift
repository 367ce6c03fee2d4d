import Exercises

/// One parser under attack, or one machine that is fed by strangers.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case sip, stun, dns, packet, rtp, sdp, wav, sound, capture, log, hep, explain, tls

    /// Does everything that can be done with bytes from outside. Traps where the parser has a bug.
    public func exercise(_ bytes: [UInt8]) {
        switch self {
        case .sip: exerciseSIPParser(bytes)
        case .stun: exerciseSTUNParser(bytes)
        case .dns: exerciseDNSParser(bytes)
        case .packet: exercisePacketParser(bytes)
        case .rtp: exerciseRTPParser(bytes)
        case .sdp: _ = exerciseSDPParser(bytes)
        case .capture: exerciseCaptureDecoder(bytes)
        case .log: exerciseLogReader(bytes)
        case .hep: exerciseHEPDecoder(bytes)
        case .explain: exerciseExplain(bytes)
        case .tls: exerciseTLSReading(bytes)
        case .wav: exerciseWAVParser(bytes)
        case .sound: exerciseSoundPlane(bytes)
        }
    }
}
