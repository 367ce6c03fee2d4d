import Base

/// What a word beside a message says of it, in the languages that programs and people write logs in.
enum HintWord {
    case direction(LoggedMessage.Direction)
    case role(HintedLine.Role)
    case transport(PayloadTransport)
    /// The port of that end follows.
    case port(HintedLine.Role)
    /// Its value says whether the program itself is the sender.
    case sender

    /// `word`: letters and digits only. Short words that are also common ones count in capitals, or where they open the line.
    static func meaning(of word: ArraySlice<UInt8>, isFirst: Bool) -> HintWord? {
        guard let lead = word.first, word.count <= 24 else { return nil }
        if lead >= 0xe3 { return unspaced.first { word.contains($0.text) }?.meaning }
        let lower = lead < 0x80 ? lead | 0x20 : lead
        for (text, meaning, isShy) in table[Int(lower)] {
            guard text.count == word.count, zip(text, word).allSatisfy({ $0 == ($1 < 0x80 ? $1 | 0x20 : $1) }) else { continue }
            guard !isShy || isFirst || word.allSatisfy({ $0 & 0x20 == 0 }) else { return nil }
            return meaning
        }
        return nil
    }

    /// By the first octet, in small letters.
    private static let table: [[(text: [UInt8], meaning: HintWord, isShy: Bool)]] = {
        var result = [[(text: [UInt8], meaning: HintWord, isShy: Bool)]](repeating: [], count: 256)
        func add(_ meaning: HintWord, isShy: Bool = false, _ words: String) {
            for word in words.split(separator: " ") {
                let text = Array(word.utf8)
                result[Int(text[0])].append((text, meaning, isShy))
                // Capitals beyond ASCII are words of their own.
                if text[0] >= 0x80 {
                    let capital = Array((word.prefix(1).uppercased() + word.dropFirst()).utf8)
                    result[Int(capital[0])].append((capital, meaning, isShy))
                }
            }
        }
        add(
            .direction(.sent),
            "sent send sending sends tx snd transmit transmitted transmitting outgoing outbound egress wrote writing "
                + "gesendet sende senden gesandt ausgehend abgehend envoyé envoi envoie envoyée sortant enviado enviando enviada saliente "
                + "enviar inviato invio inviando inviata uscente verzonden verzend verstuurd uitgaand skickat skickar sendt sender "
                + "wysłano wysyłanie wysłany odesláno odesílám odchozí gönderildi gönderiliyor отправлено отправка отправлен "
                + "отправляем исходящий")
        add(.direction(.sent), isShy: true, "out")
        add(
            .direction(.received),
            "received receive receiving receives rx rcv rcvd recv recvd incoming inbound ingress got arrived "
                + "empfangen empfange empfang erhalten eingehend eingegangen reçu reçue réception reçoit entrant recibido recibida "
                + "recibiendo entrante recebido recebida recebendo ricevuto ricevuta ricezione ontvangen ontvangst inkomend mottaget "
                + "mottagit mottatt modtaget odebrano odebrany přijato přijatý příchozí alındı получено получен принято входящий "
        )
        add(.direction(.received), isShy: true, "in")
        add(
            .role(.source),
            "from src source srcip saddr sourceip srcaddr sourceaddress srchost von desde depuis da vanaf od från fra от")
        add(
            .role(.destination),
            "to dst dest dstip destination daddr destinationip destip dstaddr destinationaddress dsthost an nach à para naar till til do к"
        )
        add(.role(.local), "local my laddr localaddr localip mylocal on")
        add(.role(.remote), "remote peer raddr remoteaddr remoteip rhost")
        add(.transport(.udp), "udp sipudp")
        add(.transport(.tcp), "tcp siptcp")
        add(.transport(.tls), "tls siptls")
        add(.transport(.wss), "wss")
        add(.transport(.ws), "ws websocket")
        add(.port(.source), "srcport sport sourceport")
        add(.port(.destination), "dstport dport destport destinationport")
        add(.sender, "issender")
        return result
    }()
    /// Of languages that set no blanks between words.
    private static let unspaced: [(text: [UInt8], meaning: HintWord)] =
        ["发送", "发出", "送信", "전송"].map { (Array($0.utf8), .direction(.sent)) }
        + ["接收", "收到", "受信", "수신"].map { (Array($0.utf8), .direction(.received)) }
}
