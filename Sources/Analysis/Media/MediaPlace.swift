import Base
import Capture

/// One of a call's two ends.
struct CallEnd: Hashable, Sendable {
    var dialog: Int
    var isCaller: Bool
}

/// An endpoint in eighteen octets.
struct MediaPlace: Hashable, Sendable {
    var address: PackedAddress
    var port: UInt16

    init(_ address: PackedAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    init(_ endpoint: Endpoint) { self.init(PackedAddress(endpoint.address), endpoint.port) }

    static func == (a: MediaPlace, b: MediaPlace) -> Bool {
        a.address.low == b.address.low && a.port == b.port && a.address.high == b.address.high
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine((address.low ^ address.high &* 0xc2b2_ae3d_27d4_eb4f) &* 0xff51_afd7_ed55_8ccd ^ UInt64(port) << 48)
    }
}

/// Who sends to whom, in one capture.
struct MediaFlow: Hashable, Sendable {
    var file: UInt16
    var source: MediaPlace
    var destination: MediaPlace

    var reversed: MediaFlow { MediaFlow(file: file, source: destination, destination: source) }
}
