/// Transitions in words, as failures are told.
extension Script {
    package var text: String {
        var cast: [String] = [
            variant.isChanSIP
                ? "chan_sip's rules" : variant.isPersistent ? "a server that stores" : "a server that stores nothing"
        ]
        if variant.isSmall { cast.append("small tables") }
        if variant.allowsStrangers { cast.append("strangers may call") }
        cast.append(["a SpeedTouch", "Linux with its helper", "a router without helper"][variant.helper] + " before alice")
        if variant.isSeedPhone { cast.append("alice's phone is of 2007") }
        if variant.usesReliableProvisionals { cast.append("100rel") }
        if variant.hasSRTP { cast.append("SRTP") }
        if variant.wantsDirectMedia { cast.append("direct media") }
        if variant.isSlow { cast.append("a slow network") }
        if variant.carolUsesTLS { cast.append("carol over TLS") }
        let hex = bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        let lines = steps.enumerated().map { "  \($0.offset + 1). \($0.element.transition.text)" }
        return (["with " + cast.joined(separator: ", ") + " (\(hex)):"] + lines).joined(separator: "\n")
    }
}

extension Transition {
    package var text: String {
        switch self {
        case .wait(let duration): "time passes: \(duration)"
        case .deadlines(let count): "time passes to the next deadline, \(count) times"
        case .phone(let phone, let deed): "\(Cast.users[phone])'s phone: \(deed.text)"
        case .router(let router, let deed): "the \(router == 0 ? "home" : "office") router: \(deed.text)"
        case .linkDown(let link, let isDown): "the \(["internet", "home", "office"][link]) link goes \(isDown ? "down" : "up")"
        case .packet(let place, let fate): "packet \(place + 1) on its way: \(fate.text)"
        case .server(let deed): "the server: \(deed.text)"
        case .media(let deed): "the media: \(deed)"
        case .endpoint(let deed): "dave: \(deed.text)"
        case .stranger(let deed): "the stranger: \(deed.text)"
        }
    }
}

extension PhoneDeed {
    var text: String {
        switch self {
        case .start: "starts"
        case .stop: "signs off"
        case .restart: "loses power and starts again"
        case .roam(let place): "roams to place \(place)"
        case .call(let target, let isLate): "calls \(Cast.targets[target])\(isLate ? " without an offer" : "")"
        case .answer: "answers"
        case .hold: "holds"
        case .resume: "resumes"
        case .hangUp: "hangs up"
        case .reject(let status): "refuses with \(status)"
        case .transfer(let target): "transfers to \(Cast.targets[target])"
        case .transferAttended: "joins its two calls"
        case .digits: "sends digits"
        case .text(let target): "sends a text to \(Cast.targets[target])"
        }
    }
}

extension RouterDeed {
    var text: String {
        switch self {
        case .reboot: "reboots"
        case .forget: "forgets its mappings"
        case .helper(let isOn): "SIP helper \(isOn ? "on" : "off")"
        }
    }
}

extension PacketFate {
    var text: String {
        switch self {
        case .drop: "is lost"
        case .duplicate: "comes twice"
        case .delay(let milliseconds): "comes \(milliseconds) ms later"
        case .mutate(let mutation): "is changed (\(mutation.kind), \(mutation.choice))"
        }
    }
}

extension ServerDeed {
    var text: String {
        switch self {
        case .restart: "dies and starts again"
        case .storage(let state): "its storage \(state == .works ? "works" : state == .slow ? "says nothing" : "fails")"
        case .withoutAccount(let missing):
            missing < Cast.users.count ? "\(Cast.users[missing]) has no account" : "everybody has an account"
        case .wallClock(let seconds): "the wall clock is set \(seconds) s ahead"
        case .probe(let user): "probes \(Cast.users[user])"
        }
    }
}

extension EndpointDeed {
    var text: String {
        switch self {
        case .invite(let target, let offer): "calls \(Cast.targets[target]) (\(offer))"
        case .refer(let dialog, let target): "transfers dialog \(dialog) to \(Cast.targets[target])"
        case .subscribe(let target, let event, let seconds):
            "subscribes to \(Cast.events[event]) of \(Cast.targets[target]), \(seconds) s"
        case .message(let target): "sends a text to \(Cast.targets[target])"
        default: "\(self)"
        }
    }
}

extension StrangerDeed {
    var text: String {
        switch self {
        case .request(let method, let target): "asks \(Cast.methods[method]) \(Cast.targets[target])"
        case .guess(let method, let target): "guesses, \(Cast.methods[method]) \(Cast.targets[target])"
        case .intrude(let place, let method): "\(Cast.methods[method]) inside message \(place)'s dialog"
        case .replay(let place, let forged, let mutation):
            "sends message \(place) again\(forged ? ", in its sender's name" : "")"
                + (mutation.map { ", changed (\($0.kind), \($0.choice))" } ?? "")
        default: "\(self)"
        }
    }
}
