import NAT

/// Which of the NAT's expectations each of the helper's pinholes became, found from either end.
struct PinholeExpectations: Sendable {
    private var byPinhole: [UInt64: ExpectationID] = [:]
    private var byExpectation: [ExpectationID: UInt64] = [:]

    var all: some Collection<ExpectationID> { byPinhole.values }

    subscript(pinhole: UInt64) -> ExpectationID? { byPinhole[pinhole] }

    func pinhole(of expectation: ExpectationID) -> UInt64? { byExpectation[expectation] }

    mutating func set(_ pinhole: UInt64, _ expectation: ExpectationID) {
        _ = remove(pinhole)
        byPinhole[pinhole] = expectation
        byExpectation[expectation] = pinhole
    }

    mutating func remove(_ pinhole: UInt64) -> ExpectationID? {
        guard let expectation = byPinhole.removeValue(forKey: pinhole) else { return nil }
        byExpectation[expectation] = nil
        return expectation
    }
}
