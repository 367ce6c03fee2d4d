import Base
import MediaControl

extension MediaVerdict {
    /// The verdict as a person reads it: "SDP said 192.168.1.10:16384, RTP came from 203.0.113.7:52011, locked at packet 3, 0.2 % lost,
    /// 4 ms jitter; nothing ever came back the other way".
    ///
    /// `other`: the leg it was bridged to, which tells whether anything came back.
    public func sentence(other: MediaVerdict? = nil) -> String {
        var parts: [String] = []
        parts.append(signalled.map { "SDP said \($0)" } ?? "SDP named no address, as on hold")
        if let source, packetsReceived > 0 {
            let place =
                source.endpoint == signalled
                ? "\(isFaxAlone ? "UDPTL" : "RTP") came from there"
                : "\(isFaxAlone ? "UDPTL" : "RTP") came from \(source.endpoint)"
            parts.append(place)
            switch source.means {
            case .signalled: break
            case .learnt: parts.append("locked at packet \(source.packet)")
            case .moved: parts.append("moved there at packet \(source.packet)")
            case .ice: parts.append("agreed by ICE")
            }
            parts.append("\(Self.decimal(lossPercent)) % lost")
            if !isFaxAlone { parts.append("\(Int(jitter.rounded())) ms jitter") }
            if isSRTP { parts.append("SRTP") }
        } else {
            parts.append(shouldSend ? "no RTP ever came" : "no RTP was due from there")
        }
        if let fax { parts.append("fax (T.38): \(fax.received) packets came, \(fax.lost) were missing, \(fax.sent) went to it") }
        if strangers > 0 { parts.append(Self.packets(strangers, "from elsewhere not taken")) }
        if refused > 0 { parts.append(Self.packets(refused, "not fit to be taken")) }
        return parts.joined(separator: ", ") + wayBack(other)
    }

    private var isFaxAlone: Bool { fax.map { $0.received > 0 && $0.received == packetsReceived } ?? false }

    private func wayBack(_ other: MediaVerdict?) -> String {
        guard shouldReceive else { return "" }
        if packetsSent == 0, let other, other.packetsReceived == 0 {
            // Who is not to send is silent rightly.
            guard other.shouldSend else { return "" }
            return packetsReceived > 0 ? "; nothing ever came back the other way" : "; nothing came the other way either"
        }
        if packetsSent == 0, packetsReceived == 0, (other?.packetsReceived ?? 0) > 0 {
            return "; the other side's media had nowhere to go before it sent"
        }
        return ""
    }

    private static func packets(_ count: UInt64, _ what: String) -> String { "\(count) packet\(count == 1 ? "" : "s") \(what)" }

    /// One decimal, none where it is zero.
    private static func decimal(_ value: Double) -> String {
        guard value.isFinite, value > 0 else { return "0" }
        let tenths = Int((min(value, 1e6) * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
