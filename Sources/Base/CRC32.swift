/// The CRC-32 of ITU V.42 and zlib, a byte at a time through a table.
public struct CRC32: Sendable {
    private var state: UInt32 = 0xffff_ffff

    public init() {}

    public mutating func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { update($0) } }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var state = self.state
        crcTable.withUnsafeBufferPointer { table in
            for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
        }
        self.state = state
    }

    public var value: UInt32 { ~state }
}

private let crcTable: [UInt32] = (0..<256).map { index -> UInt32 in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
}
