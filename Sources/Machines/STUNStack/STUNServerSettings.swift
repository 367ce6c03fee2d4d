import Base

/// The second address and second port of a server (RFC 5780 6): four local endpoints in all.
public struct STUNAlternate: Hashable, Sendable {
    public let primary: Endpoint
    /// Differs from `primary` in address and in port.
    public let alternate: Endpoint
    /// What the two addresses are called outside, where the server stands behind a 1:1 NAT.
    public let advertisedPrimary: IPAddress
    public let advertisedAlternate: IPAddress

    /// Nil unless both endpoints are of one family and differ in address and in port.
    public init?(
        primary: Endpoint, alternate: Endpoint, advertisedPrimary: IPAddress? = nil, advertisedAlternate: IPAddress? = nil
    ) {
        guard primary.address != alternate.address, primary.port != alternate.port else { return nil }
        guard primary.address.isIPv6 == alternate.address.isIPv6 else { return nil }
        self.primary = primary
        self.alternate = alternate
        self.advertisedPrimary = advertisedPrimary ?? primary.address
        self.advertisedAlternate = advertisedAlternate ?? alternate.address
    }

    /// All four, the primary first.
    public var endpoints: [Endpoint] {
        [
            primary, Endpoint(primary.address, alternate.port), Endpoint(alternate.address, primary.port), alternate,
        ]
    }

    /// The one of the four that differs from `local` as asked; nil if `local` is none of them.
    func changed(_ local: Endpoint, address: Bool, port: Bool) -> Endpoint? {
        guard local.address == primary.address || local.address == alternate.address else { return nil }
        guard local.port == primary.port || local.port == alternate.port else { return nil }
        var result = local
        if address { result.address = local.address == primary.address ? alternate.address : primary.address }
        if port { result.port = local.port == primary.port ? alternate.port : primary.port }
        return result
    }

    /// As the outside knows one of the four.
    func advertised(_ local: Endpoint) -> Endpoint {
        Endpoint(local.address == primary.address ? advertisedPrimary : advertisedAlternate, local.port)
    }
}

/// How a `STUNServer` answers.
public struct STUNServerSettings: Hashable, Sendable {
    /// Without one (or on endpoints that are not of its four) there is no OTHER-ADDRESS, and CHANGE-REQUEST gets 420.
    public var alternateIPv4: STUNAlternate?
    public var alternateIPv6: STUNAlternate?
    /// SOFTWARE in every answer; empty leaves the attribute out. At most 127 bytes are sent.
    public var software: [UInt8]
    /// What the server's addresses are called outside, for SOURCE-ADDRESS and CHANGED-ADDRESS of classic answers where no
    /// alternate says so; nil takes the address that received.
    public var advertisedIPv4: IPAddress?

    public init(
        alternateIPv4: STUNAlternate? = nil, alternateIPv6: STUNAlternate? = nil, software: String = "",
        advertisedIPv4: IPAddress? = nil
    ) {
        self.alternateIPv4 = alternateIPv4
        self.alternateIPv6 = alternateIPv6
        self.software = Array(software.utf8.prefix(127))
        self.advertisedIPv4 = advertisedIPv4
    }
}
