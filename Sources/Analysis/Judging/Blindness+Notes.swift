import Capture

extension Blindness {
    /// What a decoder noted, in words: only what can hide something from a verdict.
    static func from(_ notes: CaptureNotes) -> [Blindness] {
        var result = from(notes.tls)
        func isSkipped(_ index: Int) -> Bool {
            guard notes.damage.count > index + 1, case .skipped = notes.damage[index + 1].reason else { return false }
            return true
        }
        for (index, damage) in notes.damage.prefix(8).enumerated() {
            switch damage.reason {
            case .cutOff(let missing):
                result.append(
                    Blindness(
                        .truncatedFile,
                        "The file ends in the middle of a packet, \(missing) octets short, after frame \(damage.afterFrame)."))
            case .recordLength(let length):
                // What was skipped behind it follows.
                guard !isSkipped(index) else { continue }
                result.append(
                    Blindness(
                        .truncatedFile,
                        "After frame \(damage.afterFrame) a record claims \(length) octets: the file is damaged there, and what follows was not read."
                    ))
            case .skipped(let octets):
                result.append(
                    Blindness(
                        .truncatedFile,
                        "After frame \(damage.afterFrame) the file is damaged: \(octets) octets were skipped, to the next packet that makes sense."
                    ))
            case .block:
                guard !isSkipped(index) else { continue }
                result.append(
                    Blindness(
                        .truncatedFile, "After frame \(damage.afterFrame) the file is damaged, and what follows was not read."))
            case .interface(let number):
                result.append(
                    Blindness(
                        .truncatedFile,
                        "After frame \(damage.afterFrame) packets are of interface \(number), which the file does not describe: they were not read."
                    ))
            case .magic: result.append(Blindness(.undecoded, "This is no capture file that can be read here."))
            case .compression: result.append(.shortfall(isBomb: false))
            case .bomb: result.append(.shortfall(isBomb: true))
            case .hep: result.append(Blindness(.undecoded, "A HEP packet could not be read."))
            }
        }
        // A first fragment alone is counted among the incomplete datagrams.
        let cut = notes.truncatedPayloads > notes.incompleteFragments ? notes.truncatedPayloads - notes.incompleteFragments : 0
        add(&result, .snapLength, cut) { count in
            let snap = notes.snapLength > 0 && notes.snapLength < 65_535 ? " (snap length \(notes.snapLength))" : ""
            return "\(count) packets were recorded only in part\(snap): headers and bodies are missing. Capture with -s 0."
        }
        if let drops = notes.drops {
            add(&result, .drops, drops) {
                "The capturing program lost \($0) packets: what seems to be missing may only be missing here."
            }
        }
        add(&result, .missingFragments, notes.incompleteFragments) {
            "\($0) datagrams came in fragments that are not all in the capture."
        }
        add(&result, .streamGaps, notes.gaps) { "\($0) holes in TCP streams: \(notes.gapOctets) octets are missing." }
        add(&result, .encryptedRadio, notes.encryptedRadio) {
            "\($0) Wi-Fi frames are encrypted: what was in them is not judged."
        }
        add(&result, .undecoded, notes.compressedWebSocket) { "\($0) compressed WebSocket messages were not read." }
        for (type, count) in notes.unknownLinkTypes.sorted(by: { $0.key < $1.key }).prefix(4)
        where LinkType(rawValue: type) == nil {
            add(&result, .undecoded, count) {
                let name = Self.linkTypes[type].map { ", \($0)" } ?? ""
                return "\($0) frames were not read: they are of link type \(type)\(name)."
            }
        }
        return result
    }

    /// The compression around an input gave less than all.
    public static func shortfall(isBomb: Bool) -> Blindness {
        Blindness(
            .truncatedFile,
            isBomb
                ? "The compressed file expands to far more than any capture or log: the rest was not read."
                : "The compressed file is damaged or cut off: it was read as far as it goes.")
    }

    /// The same for a text log.
    static func from(_ gaps: LogGaps, file: Int) -> [Blindness] {
        var result: [Blindness] = []
        if let (line, text) = gaps.first {
            let one = gaps.unreadStarts == 1
            result.append(
                Blindness(
                    .unreadMessages,
                    "\(gaps.unreadStarts) message\(one ? " was" : "s were") not understood: a start line that is neither a request nor a "
                        + "status, \(one ? "" : "first ")at line \(line), \"\(text)\".",
                    count: gaps.unreadStarts, place: .line(file: file, number: line)))
        }
        if let line = gaps.firstStray {
            let one = gaps.strays == 1
            result.append(
                Blindness(
                    .unreadMessages,
                    "\(gaps.strays) message\(one ? " was" : "s were") not understood: \(one ? "its" : "their") header fields stand outside any "
                        + "message that could be read, \(one ? "" : "first ")at line \(line).",
                    count: gaps.strays, place: .line(file: file, number: line)))
        }
        if let line = gaps.firstListed {
            let list = gaps.listed
            let shown = list.prefix(6).map { $0.what + ($0.count == 1 ? "" : " \($0.count) times") }.joined(separator: ", ")
            result.append(
                Blindness(
                    .unreadMessages,
                    "The text is a list of packets, a line each, without the messages themselves: \(shown)\(list.count > 6 ? " and others" : ""). "
                        + "Give the capture itself, or all of it as text: tshark -r NAME -V.",
                    count: list.reduce(0) { $0 + $1.count }, place: .line(file: file, number: line)))
        }
        if let line = gaps.endsInside {
            result.append(
                Blindness(
                    .truncatedFile, "The text stops in the middle of the message that begins at line \(line).",
                    place: .line(file: file, number: line)))
        }
        return result
    }

    private static func add(_ list: inout [Blindness], _ kind: Kind, _ count: UInt64, _ text: (UInt64) -> String) {
        if count > 0 { list.append(Blindness(kind, text(count), count: Int(clamping: count))) }
    }

    /// Names in the pcap LINKTYPE registry of what is met beside SIP.
    private static let linkTypes: [UInt32: String] = [
        6: "token ring", 10: "FDDI", 122: "IP over Fibre Channel", 140: "MTP2", 141: "MTP3", 142: "SCCP", 143: "DOCSIS",
        177: "Linux LAPD",
        186: "USB", 187: "Bluetooth", 189: "USB", 195: "IEEE 802.15.4", 201: "Bluetooth", 203: "ISDN LAPD", 220: "USB",
        227: "CAN bus",
        230: "IEEE 802.15.4", 231: "D-Bus", 248: "SCTP alone", 249: "USB", 251: "Bluetooth", 253: "Netlink",
        252: "exported PDU without addresses", 254: "Bluetooth", 264: "ISO 14443", 271: "virtual sockets",
        272: "Nordic Bluetooth",
    ]
}
