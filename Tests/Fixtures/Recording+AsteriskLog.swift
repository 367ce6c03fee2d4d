extension Recording {
    /// What the server's console would have shown of this talk, were it an Asterisk with `sip set debug on` (chan_sip): what is received
    /// with bare line feeds, what is sent as it left, and a notice where a right answer to an old nonce was refused. `old`: Asterisk 11,
    /// which stamps no lines and names no transport.
    public func asteriskLog(old: Bool = false) throws -> String {
        func stamp(_ kind: String) -> String { old ? "" : "[2023-11-14 22:13:20.000] \(kind)[4711] chan_sip.c: " }
        var text = ""
        var asked = ""
        for message in try messages(.outside) {
            let content = String(decoding: message.bytes, as: UTF8.self)
            if message.destination.address == Self.server {
                text += "\(stamp("VERBOSE"))\n<--- SIP read from \(old ? "" : "UDP:")\(message.source) --->\n"
                text += content.replacing("\r\n", with: "\n") + "<------------->\n"
                text += "\(stamp("VERBOSE"))--- (\(content.split(separator: "\r\n").count - 1) headers 0 lines) ---\n"
                asked = content
            } else {
                if content.contains("stale=true"),
                    let from = asked.split(separator: "\r\n").first(where: { $0.hasPrefix("From:") })
                {
                    text += old ? "[Nov 14 22:13:20] NOTICE[4711]: chan_sip.c:1 check_auth: " : stamp("NOTICE")
                    text += "Correct auth, but based on stale nonce received from '\(from.dropFirst(6))'\n"
                }
                text +=
                    "\(stamp("VERBOSE"))\n<--- Transmitting (NAT) to \(message.destination) --->\n\(content)\n<------------>\n"
            }
        }
        return text
    }
}
