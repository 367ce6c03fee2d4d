import Base

extension ModernRegistration {
    /// The settings as a registration over a stream sees them: the connection keeps itself alive, and what STUN would say of a UDP port
    /// means nothing.
    static func overStream(_ settings: RegistrationSettings) -> RegistrationSettings {
        var stream = settings
        stream.stunServer = nil
        stream.keepalive = .none
        return stream
    }

    /// The connection that the binding stands on is gone, and with it the flow (RFC 5626 4.5): at once anew, but with a pause where it
    /// did not even last as long as it takes to set it up.
    ///
    /// - Parameter livedFor: nil where the connection never stood; then the REGISTER that wanted it has failed already.
    mutating func connectionLost(_ remote: Endpoint, livedFor: Duration?, at now: Instant) {
        guard let livedFor, case .registered(let binding) = state, binding.target == remote else { return }
        let because = "the connection is gone"
        outbox.append(.decided(.flowFailed(remote, because: because)))
        guard livedFor >= .seconds(5) else {
            wait(base: settings.timers.backoffBase, because: because, at: now) { .noAnswer(from: remote, retryAt: $0) }
            return
        }
        attempt(.flowFailed, binding.targets, place: binding.place, at: now)
    }
}
