import Base
public import DHCP
public import DNSForwarder
import NAT
import PortControl

/// The machines behind a router's services; each is there only if it is on.
struct RouterServices: Sendable {
    struct OpenPort: Hashable, Sendable {
        var external: Endpoint
        var transport: SIPTransport
    }

    var dhcp: DHCPServer?
    var dns: DNSForwarder?
    var portControl: PortControl?
    /// The NAT's pinholes for it.
    var openPorts: [OpenPort: ExpectationID] = [:]
    var outside: DHCPClient?
    private var isStarted = false

    init(_ settings: RouterSettings, entropy: Entropy) {
        var entropy = entropy
        let wanted = settings.services
        dhcp = wanted.dhcp.map { DHCPServer($0) }
        dns = wanted.dns.map { own in
            var own = own
            let name = DHCPServer.hostLabel(Array(settings.name.utf8)) ?? "router"
            let addresses: [IPAddress] = [.v4(settings.lanAddress)] + (settings.lanIPv6.map { [.v6($0)] } ?? [])
            if own.hosts[name] == nil { own.hosts[name] = addresses }
            own.outsideV4 = settings.wanAddress == .any ? nil : settings.wanAddress
            own.outsideV6 = settings.wanIPv6
            return DNSForwarder(own, entropy: entropy.fork())
        }
        if settings.nat != nil {
            portControl = wanted.portControl.map {
                PortControl(outside: settings.wanAddress == .any ? nil : settings.wanAddress, limits: $0)
            }
        }
        outside = wanted.outsideDHCP.map { DHCPClient(mac: $0.mac, hostName: $0.hostName, entropy: entropy.fork()) }
    }

    var nextDeadline: Instant? {
        // The client has to be woken once to begin.
        if outside != nil, !isStarted { return .epoch }
        return [dhcp?.nextDeadline, dns?.nextDeadline, portControl?.nextDeadline, outside?.nextDeadline].compactMap { $0 }.min()
    }

    mutating func advance(to now: Instant) {
        if outside != nil, !isStarted { outside?.receive(.start, at: now) }
        isStarted = true
        dhcp?.advance(to: now)
        dns?.advance(to: now)
        portControl?.advance(to: now)
        outside?.advance(to: now)
    }

    var isTracing = true {
        didSet {
            dhcp?.isTracing = isTracing
            dns?.isTracing = isTracing
            portControl?.isTracing = isTracing
            outside?.isTracing = isTracing
        }
    }
}

/// How the services have fared; nil: the service is off.
public struct RouterServiceStatus: Hashable, Sendable {
    public var leases: [DHCPLease]
    public var dhcp: DHCPServerCounters?
    public var dns: DNSForwarderCounters?
    /// Ports that hosts have opened for themselves.
    public var openPorts: Int?
    /// What the outside's DHCP server gave; nil: nothing, or it is not asked.
    public var outside: DHCPConfiguration?
}
