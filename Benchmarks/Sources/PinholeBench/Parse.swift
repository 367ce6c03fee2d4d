import Base
import CSockets
import SIP

/// Nanoseconds to copy a message out of the receive buffer, parse it, and read from it everything a registrar decides by.
func nanosecondsPerParse(of message: [UInt8], times: Int) throws -> Double {
    var sum = 0
    // Once ahead: a message that does not parse must not count as fast.
    sum &+= try everything(in: message)
    let start = bench_thread_cpu()
    try message.withUnsafeBytes { received in
        for _ in 0..<times { sum &+= try everything(in: [UInt8](received)) }
    }
    let end = bench_thread_cpu()
    guard sum != 0 else { throw BenchError("nothing was read") }
    return Double(end - start) / Double(times)
}

/// Start line, topmost Via, From, To, Call-ID, CSeq, Contacts with their parameters, expiry, Max-Forwards, option tags, User-Agent, the
/// credentials with every part of them, and the body. The C programs read the same.
@inline(never)
private func everything(in bytes: [UInt8]) throws -> Int {
    let message = try SIPMessage(parsing: bytes)
    var sum = 0
    func note(_ text: SIPText?) { sum &+= text?.count ?? 0 }
    func note(host: SIPHost?) {
        switch host {
        case .name(let name): sum &+= name.count
        case .ipv4: sum &+= 4
        case .ipv6: sum &+= 16
        case nil: break
        }
    }
    guard case .request(let method, _) = message.startLine, let target = try message.requestURI().sip else {
        throw BenchError("not a request to a SIP URI")
    }
    note(method.text)
    note(target.user)
    note(host: target.host)
    let via = try message.topVia
    note(via.transport)
    note(host: via.host)
    sum &+= Int(via.port ?? 0)
    note(via.branch)
    if via.rport == .requested { sum &+= 1 }
    if via.received != nil { sum &+= 1 }
    let from = try message.from
    note(from.uri.sip?.user)
    note(host: from.uri.sip?.host)
    note(from.tag)
    let to = try message.to
    note(to.uri.sip?.user)
    note(host: to.uri.sip?.host)
    note(to.tag)
    note(try message.callID)
    let cseq = try message.cseq
    sum &+= Int(cseq.number)
    note(cseq.method.text)
    if case .list(let contacts) = try message.contacts {
        for contact in contacts {
            note(contact.uri.sip?.user)
            note(host: contact.uri.sip?.host)
            sum &+= Int(contact.uri.sip?.port ?? 0)
            sum &+= Int(contact.expires ?? 0)
            sum &+= contact.q ?? 0
            note(contact.instanceID)
            sum &+= Int(contact.regID ?? 0)
        }
    }
    sum &+= Int(try message.expires ?? 0)
    sum &+= Int(try message.maxForwards ?? 0)
    for tag in try message.require { note(tag) }
    for tag in try message.supported { note(tag) }
    note(message.userAgent)
    if let digest = try message.authorizations.first?.digest {
        note(digest.username)
        note(digest.realm)
        note(digest.nonce)
        note(digest.uri)
        note(digest.response)
        note(digest.algorithm)
        note(digest.cnonce)
        note(digest.opaque)
        note(digest.qop)
        sum &+= Int(digest.nonceCount ?? 0)
    }
    if try message.contentType != nil { sum &+= 1 }
    return sum &+ message.body.count
}
