import Base
import PhoneNode

/// The phones: alice's is a current one or that of 2007, bob's answers by itself and sends digits by INFO, carol's speaks TCP or TLS.
extension FuzzWorld {
    private static func identity(_ user: String) -> PhoneSettings.Identity {
        PhoneSettings.Identity(user: user, password: user, registrar: "\(Cast.server)")
    }

    private static func calls(_ variant: Variant) -> CallSettings {
        CallSettings(
            rtpPorts: [16_384, 16_386, 16_388], reliability: variant.usesReliableProvisionals ? .required : .supported,
            sessionExpires: 90, ringPatience: .seconds(40))
    }

    static func alice(_ variant: Variant) -> PhoneSettings {
        let local = Endpoint(address(of: 0, at: 0).addresses[0].address, 5060)
        var settings =
            variant.isSeedPhone
            ? PhoneSettings.seed(identity: identity("alice"), local: local, stunServer: .init(host: "\(Cast.server)", port: 5060))
            : PhoneSettings(identity: identity("alice"), locals: [local], expires: 300)
        settings.expires = 300
        settings.calls = calls(variant)
        return settings
    }

    static func bob(_ variant: Variant) -> PhoneSettings {
        var settings = PhoneSettings(
            identity: identity("bob"), locals: [Endpoint(address(of: 1, at: 0).addresses[0].address, 5060)], expires: 300,
            keepalive: .options, instanceID: "urn:uuid:00000000-0000-4000-8000-000000000002", userAgent: "bob's phone")
        settings.calls = calls(variant)
        settings.calls?.answers = .auto(after: .seconds(2))
        settings.calls?.dtmf = .info
        return settings
    }

    static func carol(_ variant: Variant) -> PhoneSettings {
        var settings = PhoneSettings(
            identity: identity("carol"), locals: [Endpoint(.v4(Cast.carol), 5060)],
            transport: variant.carolUsesTLS ? .tls : .tcp, expires: 300, keepalive: .crlf,
            instanceID: "urn:uuid:00000000-0000-4000-8000-000000000003")
        settings.calls = calls(variant)
        settings.calls?.encryption = .never
        return settings
    }
}
