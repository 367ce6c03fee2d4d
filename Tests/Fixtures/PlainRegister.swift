import Foundation

/// A message written with plain line ends.
public func wire(_ text: String) -> [UInt8] { Array(text.replacingOccurrences(of: "\n", with: "\r\n").utf8) }

/// A REGISTER of the size and shape that phones send.
public let registerText = """
    REGISTER sip:example.com SIP/2.0
    Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK-524287-1---a1b2c3d4e5f60718;rport
    Max-Forwards: 70
    Contact: <sip:alice@192.168.1.20:5060;transport=udp>;expires=300;q=0.7;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";reg-id=1
    To: "Alice" <sip:alice@example.com>
    From: "Alice" <sip:alice@example.com>;tag=8a7f6e5d
    Call-ID: 84721-YzY3ZGI1NjQ4OTBhYmNkZWYxMjM0NTY3ODkw
    CSeq: 2 REGISTER
    Expires: 300
    Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE
    Supported: path, outbound
    User-Agent: Phone/5.6.7 (stamp 83372)
    Authorization: Digest username="alice",realm="example.com",nonce="4f3c2b1a09f8e7d6c5b4a39281706f5e",uri="sip:example.com",response="6629fae49393a05397450978507c4ef1",cnonce="0a4f113b",nc=00000001,qop=auth,algorithm=MD5,opaque="5ccc069c403ebaf9"
    Content-Length: 0


    """
