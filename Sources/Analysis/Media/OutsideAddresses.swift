import Base
import Capture

/// Outside addresses of the NAT before the private hosts of a capture, as others see them.
package struct OutsideAddresses: Sendable {
    private struct Known: Hashable {
        var file: UInt16
        var address: PackedAddress
    }

    private static let most = 4_096
    private var known: Set<Known> = []

    /// What comes from `host` wears `address` outside.
    package mutating func note(_ address: PackedAddress, of host: PackedAddress, file: UInt16) {
        guard host.isPrivateNetwork, !address.isUnknown, !address.isPrivateNetwork, !address.isUnspecified,
            known.count < Self.most
        else { return }
        known.insert(Known(file: file, address: address))
    }

    func contains(_ address: PackedAddress, _ file: UInt16) -> Bool { known.contains(Known(file: file, address: address)) }
}
