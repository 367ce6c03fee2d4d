import MediaControl

/// A number that no phone answers but the server itself.
enum CallService: Hashable, Sendable {
    case echo
    case tone(Int)
    /// Plays back the caller's own address as the server saw it.
    case address
    case room(CallSettings.Room)

    var name: String {
        switch self {
        case .echo: "the echo test"
        case .tone: "the tone"
        case .address: "the address announcement"
        case .room(let room): "room \(room.name)"
        }
    }
}
