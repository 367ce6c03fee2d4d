extension CallSettings {
    /// What a number means that belongs to no user; nil: nothing.
    func service(_ user: String) -> CallService? {
        if user == echo { return .echo }
        if user == tone { return .tone(toneFrequency) }
        if user == address { return .address }
        if let room = rooms.first(where: { $0.name == user }) { return .room(room) }
        guard let numbers = roomNumbers, (1...9).contains(user.utf8.count),
            user.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            user.utf8.first != 0x30, let number = Int(user), numbers.contains(number)
        else { return nil }
        return .room(CallSettings.Room(name: user))
    }

    /// The same in words: "the echo test", "conference room 8000"; nil: nothing.
    public func meaning(of user: String) -> String? {
        switch service(user) {
        case nil: nil
        case .echo: "the echo test"
        case .tone: "the test tone"
        case .address: "the service that says one's address"
        case .room(let room): "conference room \(room.name)"
        }
    }
}
