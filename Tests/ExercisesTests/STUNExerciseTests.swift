import Base
import Exercises
import Testing

@Suite struct STUNExerciseTests {
    /// The request of RFC 5769 2.1 and that of 2.4.
    private static let request = octets(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
            + "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf")
    private static let longTerm = octets(
        "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b39"
            + "353464364f4c33346f4c39465354767936347341" + "0014000b6578616d706c652e6f726700"
            + "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666")

    @Test("random and mutated bytes never trap")
    func noise() {
        var entropy = Entropy(labSeed: 7)
        for round in 0..<4000 {
            var bytes = round % 2 == 0 ? entropy.bytes(Int(entropy.next() % 120)) : Self.request
            if !bytes.isEmpty {
                for _ in 0..<3 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
                if round % 4 < 2, bytes.count >= 20 {
                    bytes[0] = 0
                    bytes.replace(at: 2, bigEndian: UInt16(bytes.count - 20))
                }
            }
            exerciseSTUNParser(bytes)
        }
        for count in 0..<Self.longTerm.count { exerciseSTUNParser(Array(Self.longTerm.prefix(count))) }
    }

    private static func octets(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { hexDigit($0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
