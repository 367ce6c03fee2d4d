/// What may stay of a header's value.
enum HeaderLaw: Sendable {
    /// Display names and URIs, each with parameters.
    case people
    case via
    /// Call-IDs and the like: the value is a token.
    case token
    /// A scheme and its parameters.
    case credentials
    /// Numbers, methods and dates.
    case numbers
    /// Tokens of closed sets.
    case tokens
    case program
    /// A protocol, a cause, and words about it.
    case reason
    /// Nothing.
    case text

    /// The law of a header; nil when nobody registered the name, which may then name somebody itself.
    static func of(_ lowered: String) -> HeaderLaw? {
        laws[lowered] ?? (Harmless.customHeaders.contains(lowered) ? custom(lowered) : nil)
    }

    private static func custom(_ name: String) -> HeaderLaw {
        name == "remote-party-id" ? .people : name.contains("hangup") ? .reason : .text
    }

    /// The IANA registry of SIP header fields, with the compact forms.
    private static let laws: [String: HeaderLaw] = {
        var laws: [String: HeaderLaw] = [:]
        for (law, names) in registry { for name in Harmless.set(names) { laws[name] = law } }
        return laws
    }()

    private static let registry: [(HeaderLaw, String)] = [
        (
            .people,
            """
            from f to t contact m route record-route path service-route reply-to refer-to r referred-by b diversion history-info
            alert-info call-info error-info p-asserted-identity p-preferred-identity p-associated-uri p-called-party-id
            p-refused-uri-list p-served-user p-profile-key p-user-database p-charge-info p-dcs-trace-party-id p-dcs-redirect
            permission-missing trigger-consent policy-contact refer-events-at geolocation additional-identity response-source
            identity-info n
            """
        ),
        (.via, "via v"),
        (.token, "call-id i in-reply-to replaces join target-dialog session-id sip-etag sip-if-match content-id"),
        (
            .credentials,
            "authorization proxy-authorization www-authenticate proxy-authenticate authentication-info proxy-authentication-info"
        ),
        (
            .numbers,
            """
            cseq content-length l max-forwards expires min-expires rseq rack retry-after session-expires x min-se timestamp flow-timer
            max-breadth mime-version date
            """
        ),
        (
            .tokens,
            """
            accept accept-contact a accept-encoding accept-language accept-resource-priority allow allow-events u answer-mode
            content-disposition content-encoding e content-language content-type c event o feature-caps geolocation-routing
            info-package recv-info p-access-network-info p-early-media policy-id priority priority-share privacy proxy-require
            refer-sub reject-contact j request-disposition d require resource-priority resource-share
            security-client security-server security-verify subscription-state supported k suppress-if-match unsupported
            p-asserted-service p-preferred-service
            """
        ),
        (.program, "user-agent server"),
        (.reason, "reason warning"),
        (
            .text,
            """
            attestation-info cellular-network-info dc-info encryption geolocation-error hide identity y organization origination-id
            p-answer-state p-charging-function-addresses p-charging-vector p-dcs-osps p-dcs-billing-info p-dcs-laes
            p-media-authorization p-private-network-indication p-visited-network-id priority-verstat reason-phrase relayed-charge
            response-key restoration-info service-interact-info subject s user-to-user
            """
        ),
    ]
}

/// What may stay of a parameter's value.
enum ParameterLaw: Sendable {
    /// Nothing.
    case text
    case digits
    /// Eight hexadecimal digits: how often a nonce was used.
    case count
    case tokens
    /// Words of diagnosis.
    case reason

    /// The law of a parameter; nil: its name is not known, and may name somebody.
    static func of(_ lowered: String) -> ParameterLaw? { laws[lowered] }

    private static let laws: [String: ParameterLaw] = {
        var laws: [String: ParameterLaw] = [:]
        for (law, names) in registry { for name in Harmless.set(names) { laws[name] = law } }
        return laws
    }()

    private static let registry: [(ParameterLaw, String)] = [
        (.reason, "text"),
        (.count, "nc"),
        (
            .digits,
            """
            rport expires q ttl reg-id cause index code retry-after duration counter keep sigcomp-id d-ver spi-c spi-s port-c port-s
            rseq level count limit
            """
        ),
        (
            .tokens,
            """
            transport method user lr ob comp algorithm qop stale refresher handling purpose screen privacy party id-type reason event
            methods +sip.methods charset pub-gruu-type audio video text data control automata mobility duplex schemes actor class
            priority events isfocus application supported e early-only cic alg ealg prot mod d-alg d-qop ppt info alert
            """
        ),
        (
            .text,
            """
            branch tag from-tag to-tag received maddr received-ip nonce cnonce opaque response realm username uri domain nextnonce rspauth
            +sip.instance pub-gruu temp-gruu gr gruu line isub ext postd phone-context tgrp trunk-context cpc rn npdi oli
            remote local boundary cid mf start type access-type site expiration size permission name filename
            utran-cell-id-3gpp cgi-3gpp extension-access dsl-location eth-location fiber-location local-time-zone icid-value
            icid-generated-at orig-ioi term-ioi ccf ecf dialstring sip.instance description language profile-type vendor model
            version effective-by call-id replaces auts ik ck auth-param d-ver-sum iotl dtg loc np sessionid uuid encoding content
            """
        ),
    ]
}
