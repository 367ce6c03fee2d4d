import Base

/// Session descriptions (RFC 8866), a line each.
extension Redactor {
    public mutating func redact(description line: [UInt8]) -> [UInt8] {
        guard line.count >= 2, line[1] == UInt8(ascii: "=") else { return cover(line) }
        let value = Array(line[2...])
        let stand: [UInt8] =
            switch line[0] {
            case UInt8(ascii: "v"), UInt8(ascii: "t"), UInt8(ascii: "b"): words(value)
            case UInt8(ascii: "r"), UInt8(ascii: "z"):
                value.allSatisfy { Self.isDigit($0) || [0x20, 0x2d, 0x64, 0x68, 0x6d, 0x73].contains($0) } ? value : cover(value)
            case UInt8(ascii: "o"): origin(value)
            case UInt8(ascii: "c"): words(value)
            case UInt8(ascii: "m"): words(value)
            case UInt8(ascii: "k"): key(value)
            case UInt8(ascii: "a"): attribute(value)
            default: cover(value)
            }
        return line[..<2] + stand
    }

    /// Numbers and words of closed sets stay, addresses are mapped, other words go.
    private mutating func words(_ bytes: [UInt8], most: Int = 10) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if let (length, stand) = address(in: bytes, at: at) {
                out += stand
                at += length
                continue
            }
            guard Self.isToken(bytes[at]) else {
                out += cover(bytes[at...at])
                at += 1
                continue
            }
            var end = at
            while end < bytes.count, Self.isToken(bytes[end]) { end += 1 }
            let token = bytes[at..<end]
            let lowered = Self.lower(token)
            let isNumber = token.count <= most && token.allSatisfy { Self.isDigit($0) || $0 == 0x2e || $0 == 0x2d }
            out +=
                isNumber || Harmless.sdpWords.contains(lowered) || Harmless.codecs.contains(lowered) ? Array(token) : cover(token)
            at = end
        }
        return out
    }

    /// A user, two numbers of the session, an address. The second number counts changes.
    private mutating func origin(_ value: [UInt8]) -> [UInt8] {
        var parts = value.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
        for index in parts.indices {
            let isVersion = index == 2 && parts.count >= 6
            let isWord = index == 3 || index == 4
            parts[index] = isVersion ? digits(parts[index], most: 20) : isWord ? words(parts[index]) : cover(parts[index])
        }
        return Array(parts.joined(separator: [0x20]))
    }

    private mutating func key(_ value: [UInt8]) -> [UInt8] {
        let method = value.prefix { $0 != UInt8(ascii: ":") }
        return words(Array(method)) + cover(value[method.count...])
    }

    // MARK: Attributes

    private mutating func attribute(_ value: [UInt8]) -> [UInt8] {
        let name = Array(value.prefix { $0 != UInt8(ascii: ":") })
        let rest = Array(value[name.count...])
        let lowered = Self.lower(name)
        switch lowered {
        case "rtpmap", "fmtp", "rtcp", "candidate", "remote-candidates", "source-filter", "extmap", "alt": break
        case "crypto": return name + crypto(rest)
        case "fingerprint":
            let hash = rest.prefix { $0 != 0x20 }
            return name + words(Array(hash)) + cover(rest[hash.count...])
        case "ssrc": return name + source(rest)
        case "ice-ufrag", "ice-pwd", "mid", "msid", "key-mgmt", "label", "cname", "zrtp-hash", "path", "accept-types",
            "accept-wrapped-types",
            "file-selector", "file-transfer-id", "cat", "keywds", "tls-id", "identity", "dtls-id", "control", "etag", "url",
            "title", "i",
            "rtcp-cname", "mptraffic", "gpmd", "phone-context":
            return name + cover(rest)
        case "tool": return name + program(rest)
        default:
            guard Harmless.plainAttributes.contains(lowered) else { return cover(value) }
        }
        return name
            + (lowered == "candidate"
                ? candidate(rest)
                : lowered == "fmtp" ? formatParameters(rest) : lowered == "extmap" ? extensionMap(rest) : words(rest))
    }

    /// What a codec's parameter means is known where its name is; keys of codecs (sprop-...) go.
    private mutating func formatParameters(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        for (index, part) in bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ";")) }
            let isLevel = Self.lower(part).contains("profile-level-id=")
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            out += words(Array(part[..<equals]), most: 5)
            let value = Array(part[equals...])
            out += isLevel && value.count <= 7 ? value : words(value, most: 6)
        }
        return out
    }

    /// RFC 8285: the URIs of registered extensions stay.
    private mutating func extensionMap(_ bytes: [UInt8]) -> [UInt8] {
        let known = ["urn:ietf:params:rtp-hdrext:", "http://www.webrtc.org/experiments/", "http://www.ietf.org/id/"]
        let parts = bytes.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
        return Array(
            parts.enumerated().map { index, part -> [UInt8] in
                guard index == 1, let lead = known.first(where: { part.starts(with: Array($0.utf8)) }) else { return words(part) }
                let tail = part[lead.utf8.count...]
                return Array(lead.utf8) + (Harmless.headerExtensions.contains(Self.lower(tail)) ? Array(tail) : cover(tail))
            }.joined(separator: [0x20]))
    }

    /// RFC 8839 5.1: the foundation and what follows ufrag are tokens, the address may be a name.
    private mutating func candidate(_ bytes: [UInt8]) -> [UInt8] {
        let parts = bytes.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
        return Array(
            parts.enumerated().map { index, part -> [UInt8] in
                if index == 0 || (index > 0 && parts[index - 1] == Array("ufrag".utf8)) { return cover(part) }
                if ["typ", "raddr", "rport", "tcptype", "generation", "ufrag", "network-id", "network-cost", "network", "cost"]
                    .contains(Self.lower(part))
                {
                    return part
                }
                return words(part)
            }.joined(separator: [0x20]))
    }

    private mutating func crypto(_ bytes: [UInt8]) -> [UInt8] {
        let parts = bytes.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
        return Array(
            parts.enumerated().map { index, part -> [UInt8] in
                guard index == 2 else { return words(part) }
                let lead = part.starts(with: Array("inline:".utf8)) ? 7 : 0
                return part[..<lead] + cover(part[lead...])
            }.joined(separator: [0x20]))
    }

    /// RFC 5576: a number and an attribute.
    private mutating func source(_ bytes: [UInt8]) -> [UInt8] {
        let space = bytes.firstIndex(of: 0x20) ?? bytes.count
        let colon = bytes[space...].firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
        let name = bytes[space..<colon]
        let isKnown = ["cname", "msid", "mslabel", "label", "fmtp", "previous-ssrc"].contains(
            Self.lower(name.drop { $0 == 0x20 }))
        return [UInt8](bytes.prefix(1)) + digits(bytes[min(1, space)..<space]) + (isKnown ? Array(name) : cover(name))
            + cover(bytes[colon...])
    }
}

extension Harmless {
    static let headerExtensions = set(
        """
        ssrc-audio-level csrc-audio-level sdes:mid sdes:rtp-stream-id sdes:repaired-rtp-stream-id toffset encrypt framemarking
        abs-send-time transport-wide-cc-02 rtp-hdrext/abs-send-time rtp-hdrext/transport-wide-cc-02 rtp-hdrext/playout-delay
        rtp-hdrext/video-content-type rtp-hdrext/video-timing rtp-hdrext/color-space rtp-hdrext/abs-capture-time
        draft-holmer-rmcat-transport-wide-cc-extensions-01 3gpp:video-orientation
        """)
}
