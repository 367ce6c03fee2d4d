import Base
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// A network of a user's own, what happens to it, and what is expected of it: a scenario file, read.
public struct Scenario: Sendable {
    public struct Link: Sendable, Hashable {
        public var name: String
        public var properties: LinkProperties
    }

    /// A host's place: a link and its addresses there.
    public struct Site: Sendable, Hashable {
        public var link: String
        public var addresses: [HostStack.HostAddress]
    }

    public struct Router: Sendable, Hashable {
        public var settings: RouterSettings
        public var lan: String
        public var wan: String
    }

    public struct Phone: Sendable, Hashable {
        public var name: String
        public var site: Site
        public var settings: PhoneSettings
        /// When it is switched on, counted from the start; nil: only an event does it.
        public var startsAt: Duration?
    }

    public struct Server: Sendable {
        public var name: String
        public var site: Site
        public var settings: ServerSettings
        public var accounts: [Account]
        /// Whether STUN is answered on port 3478 too.
        public var hasSTUN: Bool
    }

    public struct STUN: Sendable, Hashable {
        public var name: String
        public var site: Site
        public var settings: STUNServerSettings
    }

    public struct Names: Sendable {
        public var name: String
        public var site: Site
        public var server: NameServer
    }

    /// A call that a phone makes.
    public struct Call: Sendable, Hashable {
        public var from: String
        /// What is dialled: another phone's user, a room, a service, or a SIP URI.
        public var target: String
        public var at: Duration
        /// From the answer; nil: until the scenario ends.
        public var length: Duration?
        /// Hz.
        public var tone: Int
    }

    /// What happens at one time.
    public struct Event: Sendable, Hashable {
        public enum Action: Sendable, Hashable {
            case command(router: String, String)
            case reboot(router: String)
            case link(String, isUp: Bool)
            case properties(link: String, LinkProperties)
            case start(phone: String)
            case stop(phone: String)
        }

        public var at: Duration
        public var action: Action
    }

    /// What has to be true.
    public struct Expectation: Sendable, Hashable {
        public enum Claim: Sendable, Hashable {
            /// At `at` the panel says "Registered", or does not.
            case registered(phone: String, Bool)
            /// It says so for the first time at `at` or before.
            case registeredBy(phone: String)
            /// The panel's text at `at`.
            case status(phone: String, String)
            /// A request sent at `at` by `server` reaches it, or does not.
            case reachable(phone: String, server: String, Bool)
            /// From the start (or `since`) to `at` the server saw all its REGISTERs come from one port, or did not.
            case portStable(phone: String, Bool, since: Duration)
            /// REGISTERs sent up to `at`, retransmissions left out.
            case registersAtMost(phone: String, Int)
            /// In the last second before `at` a phone hears the tone of another one, or does not.
            case hears(phone: String, other: String, Bool)
            /// What the newest call that a phone made comes to at `at`, as `CallReview.summary` says it.
            case audio(phone: String, String)
            /// The router's command line has said this by `at`.
            case says(router: String, String)
        }

        public var at: Duration
        public var claim: Claim
        /// Where it is written.
        public var place: ConfigPlace

        package init(at: Duration, claim: Claim, place: ConfigPlace) {
            self.at = at
            self.claim = claim
            self.place = place
        }
    }

    public var name: String
    public var seed: UInt64
    public var start: Instant
    public var length: Duration
    public var links: [Link]
    public var routers: [Router]
    public var servers: [Server]
    public var phones: [Phone]
    public var stunServers: [STUN]
    public var nameServers: [Names]
    public var calls: [Call]
    public var events: [Event]
    public var expectations: [Expectation]
}

extension Scenario.Expectation: CustomStringConvertible {
    /// `after 30 s: phone "desk" is registered`.
    public var description: String {
        let time = "after \(at.shortText)"
        return switch claim {
        case .registered(let phone, let wanted): "\(time): phone \(phone) is \(wanted ? "" : "not ")registered"
        case .registeredBy(let phone): "phone \(phone) is registered \(time) at the latest"
        case .status(let phone, let text): "\(time): the panel of phone \(phone) says \"\(text)\""
        case .reachable(let phone, let server, let wanted):
            "\(time): a request from \(server) \(wanted ? "reaches" : "does not reach") phone \(phone)"
        case .portStable(let phone, let wanted, let since):
            "from \(since.shortText) to \(at.shortText): the server sees phone \(phone) at"
                + (wanted ? " one port" : " changing ports")
        case .registersAtMost(let phone, let most): "\(time): phone \(phone) has sent at most \(most) REGISTERs"
        case .hears(let phone, let other, let wanted): "\(time): phone \(phone) \(wanted ? "hears" : "does not hear") \(other)"
        case .audio(let phone, let text): "\(time): the call of phone \(phone) has come to \"\(text)\""
        case .says(let router, let text): "\(time): router \(router) has said \"\(text)\""
        }
    }
}

extension Duration {
    /// `250 ms`, `30 s`, `1 h`: the largest unit that needs no fraction.
    public var shortText: String {
        let milliseconds = wholeMilliseconds
        if milliseconds % 1_000 != 0 { return "\(milliseconds) ms" }
        let seconds = milliseconds / 1_000
        if seconds == 0 || seconds % 60 != 0 { return "\(seconds) s" }
        if seconds % 3_600 != 0 { return "\(seconds / 60) min" }
        return "\(seconds / 3_600) h"
    }
}
