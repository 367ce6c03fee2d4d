/// What an element understands, as far as the form of a message decides whether it may be processed.
public struct SIPCapabilities: Sendable, Hashable {
    /// In which role a message is met.
    public enum Role: Hashable, Sendable {
        /// Answers for itself: looks at Require, the body's type and Accept.
        case userAgent
        /// A user agent server for REGISTER: To must hold a SIP or SIPS URI (RFC 3261 10.3).
        case registrar
        /// Passes on: looks at Proxy-Require and Max-Forwards, at methods and bodies not at all.
        case proxy
    }

    public var role: Role
    /// The methods that are served; others that the RFCs define get 405, unknown ones 501.
    public var methods: [SIPMethod]
    /// Option tags understood in Require or Proxy-Require.
    public var extensions: [SIPText]
    /// Media types understood in bodies, `type/subtype`; empty means that bodies are ignored.
    public var mediaTypes: [SIPText]
    /// Whether a `tel:` Request-URI means something here.
    public var acceptsTel: Bool

    public init(
        role: Role, methods: [SIPMethod] = [], extensions: [SIPText] = [], mediaTypes: [SIPText] = [], acceptsTel: Bool = false
    ) {
        self.role = role
        self.methods = methods
        self.extensions = extensions
        self.mediaTypes = mediaTypes
        self.acceptsTel = acceptsTel
    }

    /// Methods that RFCs define: they get 405 where not served, never 501.
    static let definedMethods: Set<SIPMethod> = [
        .invite, .ack, .bye, .cancel, .register, .options, .prack, .update, .info, .message, .subscribe, .notify, .refer,
        .publish,
    ]
}
