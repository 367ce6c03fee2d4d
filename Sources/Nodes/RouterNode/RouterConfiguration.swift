import Base

/// What can be set while a router runs.
public struct RouterConfiguration: Hashable, Sendable {
    public var isALGEnabled: Bool
    public var sipPorts: [RouterPortBinding]
    /// Whether the helper's doings are traced, as its own command line calls it.
    public var isALGTracing = false
    /// How long SIP's mappings live unused; nil: as the profile says.
    public var sipTimeout: Duration?

    init(_ settings: RouterSettings) {
        isALGEnabled = settings.isALGEnabled
        sipPorts = settings.sipPorts
    }

    func isSIP(_ port: UInt16) -> Bool { sipPorts.contains { $0.ports.contains(port) } }
}
