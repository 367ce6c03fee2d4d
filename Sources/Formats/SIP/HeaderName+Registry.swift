extension HeaderName {
    /// The names that have a number, in the order of their numbers from 1 on, each with its compact form (RFC 3261 7.3.3
    /// and the registry of RFC 3968), 0 for none.
    static let registry: [(name: StaticString, compact: UInt8)] = [
        ("Accept", 0),
        ("Accept-Encoding", 0),
        ("Accept-Language", 0),
        ("Alert-Info", 0),
        ("Allow", 0),
        ("Allow-Events", UInt8(ascii: "u")),
        ("Authentication-Info", 0),
        ("Authorization", 0),
        ("Call-ID", UInt8(ascii: "i")),
        ("Call-Info", 0),
        ("Contact", UInt8(ascii: "m")),
        ("Content-Disposition", 0),
        ("Content-Encoding", UInt8(ascii: "e")),
        ("Content-Language", 0),
        ("Content-Length", UInt8(ascii: "l")),
        ("Content-Type", UInt8(ascii: "c")),
        ("CSeq", 0),
        ("Date", 0),
        ("Error-Info", 0),
        ("Event", UInt8(ascii: "o")),
        ("Expires", 0),
        ("Flow-Timer", 0),
        ("From", UInt8(ascii: "f")),
        ("History-Info", 0),
        ("Identity", UInt8(ascii: "y")),
        ("In-Reply-To", 0),
        ("Max-Forwards", 0),
        ("MIME-Version", 0),
        ("Min-Expires", 0),
        ("Min-SE", 0),
        ("Organization", 0),
        ("P-Access-Network-Info", 0),
        ("P-Asserted-Identity", 0),
        ("P-Associated-URI", 0),
        ("P-Preferred-Identity", 0),
        ("Path", 0),
        ("Priority", 0),
        ("Privacy", 0),
        ("Proxy-Authenticate", 0),
        ("Proxy-Authentication-Info", 0),
        ("Proxy-Authorization", 0),
        ("Proxy-Require", 0),
        ("RAck", 0),
        ("RSeq", 0),
        ("Reason", 0),
        ("Record-Route", 0),
        ("Refer-Sub", 0),
        ("Refer-To", UInt8(ascii: "r")),
        ("Referred-By", UInt8(ascii: "b")),
        ("Replaces", 0),
        ("Reply-To", 0),
        ("Request-Disposition", UInt8(ascii: "d")),
        ("Accept-Contact", UInt8(ascii: "a")),
        ("Reject-Contact", UInt8(ascii: "j")),
        ("Require", 0),
        ("Retry-After", 0),
        ("Route", 0),
        ("SIP-ETag", 0),
        ("SIP-If-Match", 0),
        ("Server", 0),
        ("Service-Route", 0),
        ("Session-Expires", UInt8(ascii: "x")),
        ("Session-ID", 0),
        ("Subject", UInt8(ascii: "s")),
        ("Subscription-State", 0),
        ("Supported", UInt8(ascii: "k")),
        ("Timestamp", 0),
        ("To", UInt8(ascii: "t")),
        ("Unsupported", 0),
        ("User-Agent", 0),
        ("Via", UInt8(ascii: "v")),
        ("WWW-Authenticate", 0),
        ("Warning", 0),
    ]

    public static var accept: HeaderName { HeaderName(id: 1) }
    public static var acceptEncoding: HeaderName { HeaderName(id: 2) }
    public static var acceptLanguage: HeaderName { HeaderName(id: 3) }
    public static var alertInfo: HeaderName { HeaderName(id: 4) }
    public static var allow: HeaderName { HeaderName(id: 5) }
    public static var allowEvents: HeaderName { HeaderName(id: 6) }
    public static var authenticationInfo: HeaderName { HeaderName(id: 7) }
    public static var authorization: HeaderName { HeaderName(id: 8) }
    public static var callID: HeaderName { HeaderName(id: 9) }
    public static var callInfo: HeaderName { HeaderName(id: 10) }
    public static var contact: HeaderName { HeaderName(id: 11) }
    public static var contentDisposition: HeaderName { HeaderName(id: 12) }
    public static var contentEncoding: HeaderName { HeaderName(id: 13) }
    public static var contentLanguage: HeaderName { HeaderName(id: 14) }
    public static var contentLength: HeaderName { HeaderName(id: 15) }
    public static var contentType: HeaderName { HeaderName(id: 16) }
    public static var cseq: HeaderName { HeaderName(id: 17) }
    public static var date: HeaderName { HeaderName(id: 18) }
    public static var errorInfo: HeaderName { HeaderName(id: 19) }
    public static var event: HeaderName { HeaderName(id: 20) }
    public static var expires: HeaderName { HeaderName(id: 21) }
    public static var flowTimer: HeaderName { HeaderName(id: 22) }
    public static var from: HeaderName { HeaderName(id: 23) }
    public static var historyInfo: HeaderName { HeaderName(id: 24) }
    public static var identity: HeaderName { HeaderName(id: 25) }
    public static var inReplyTo: HeaderName { HeaderName(id: 26) }
    public static var maxForwards: HeaderName { HeaderName(id: 27) }
    public static var mimeVersion: HeaderName { HeaderName(id: 28) }
    public static var minExpires: HeaderName { HeaderName(id: 29) }
    public static var minSE: HeaderName { HeaderName(id: 30) }
    public static var organization: HeaderName { HeaderName(id: 31) }
    public static var pAccessNetworkInfo: HeaderName { HeaderName(id: 32) }
    public static var pAssertedIdentity: HeaderName { HeaderName(id: 33) }
    public static var pAssociatedURI: HeaderName { HeaderName(id: 34) }
    public static var pPreferredIdentity: HeaderName { HeaderName(id: 35) }
    public static var path: HeaderName { HeaderName(id: 36) }
    public static var priority: HeaderName { HeaderName(id: 37) }
    public static var privacy: HeaderName { HeaderName(id: 38) }
    public static var proxyAuthenticate: HeaderName { HeaderName(id: 39) }
    public static var proxyAuthenticationInfo: HeaderName { HeaderName(id: 40) }
    public static var proxyAuthorization: HeaderName { HeaderName(id: 41) }
    public static var proxyRequire: HeaderName { HeaderName(id: 42) }
    public static var rack: HeaderName { HeaderName(id: 43) }
    public static var rseq: HeaderName { HeaderName(id: 44) }
    public static var reason: HeaderName { HeaderName(id: 45) }
    public static var recordRoute: HeaderName { HeaderName(id: 46) }
    public static var referSub: HeaderName { HeaderName(id: 47) }
    public static var referTo: HeaderName { HeaderName(id: 48) }
    public static var referredBy: HeaderName { HeaderName(id: 49) }
    public static var replaces: HeaderName { HeaderName(id: 50) }
    public static var replyTo: HeaderName { HeaderName(id: 51) }
    public static var requestDisposition: HeaderName { HeaderName(id: 52) }
    public static var acceptContact: HeaderName { HeaderName(id: 53) }
    public static var rejectContact: HeaderName { HeaderName(id: 54) }
    public static var require: HeaderName { HeaderName(id: 55) }
    public static var retryAfter: HeaderName { HeaderName(id: 56) }
    public static var route: HeaderName { HeaderName(id: 57) }
    public static var sipETag: HeaderName { HeaderName(id: 58) }
    public static var sipIfMatch: HeaderName { HeaderName(id: 59) }
    public static var server: HeaderName { HeaderName(id: 60) }
    public static var serviceRoute: HeaderName { HeaderName(id: 61) }
    public static var sessionExpires: HeaderName { HeaderName(id: 62) }
    public static var sessionID: HeaderName { HeaderName(id: 63) }
    public static var subject: HeaderName { HeaderName(id: 64) }
    public static var subscriptionState: HeaderName { HeaderName(id: 65) }
    public static var supported: HeaderName { HeaderName(id: 66) }
    public static var timestamp: HeaderName { HeaderName(id: 67) }
    public static var to: HeaderName { HeaderName(id: 68) }
    public static var unsupported: HeaderName { HeaderName(id: 69) }
    public static var userAgent: HeaderName { HeaderName(id: 70) }
    public static var via: HeaderName { HeaderName(id: 71) }
    public static var wwwAuthenticate: HeaderName { HeaderName(id: 72) }
    public static var warning: HeaderName { HeaderName(id: 73) }
}
