/// Kamailio's sipdump: a head of named fields, then the message.
extension LogReader {
    mutating func kamailio(_ line: [UInt8], _ fields: [String: String], _ first: Int) {
        if line.count >= 20, line.trimmed.allSatisfy({ $0 == 0x7e }) {
            func peer(_ host: String, _ port: String) -> LoggedPeer? {
                fields[host].map { LoggedPeer(host: $0, port: fields[port].flatMap { UInt16($0) }) }
            }
            var framing = LogFraming(kamailio: fields["tag"] == "snd" ? .sent : .received)
            let (source, destination) = (peer("srcip", "srcport"), peer("dstip", "dstport"))
            (framing.remote, framing.local) = fields["tag"] == "snd" ? (destination, source) : (source, destination)
            framing.transport = fields["proto"].flatMap { LogFraming.transport(Array($0.utf8.prefix { $0 != 0x20 })[...]) }
            var at = 0
            let time = fields["time"].flatMap { clock.time(Array($0.utf8), &at) }
            builder = LogMessageBuilder(framing, line: first, isTypographic: isTypographic, hasEntities: hasEntities)
            state = .message(time)
            return
        }
        guard fields.count < 32, let colon = line.firstIndex(of: 0x3a) else {
            // Not Kamailio's after all.
            state = .between
            if !(line.count >= 20 && line.trimmed.allSatisfy { $0 == 0x3d }) {
                process(line)
            } else {
                state = .kamailio([:], line: lines)
            }
            return
        }
        var fields = fields
        let value = line[(colon + 1)...].trimmed
        fields[String(decoding: line[..<colon], as: UTF8.self)] = String(decoding: value.prefix(200), as: UTF8.self)
        state = .kamailio(fields, line: first)
    }
}
