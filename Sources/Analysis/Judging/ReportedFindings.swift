/// Which findings were reported of a dialog, and how bad each was at its worst: two bits a name, which leaves room for 64 names.
struct ReportedFindings: Sendable {
    private var bits: (low: UInt64, high: UInt64) = (0, 0)

    /// Notes that a finding of a severity is reported. False where it was before, as badly or worse.
    mutating func raise(_ name: FindingName, to severity: Severity) -> Bool {
        guard self[name] < Self.level(severity) else { return false }
        let place = name.rank * 2
        if place < 64 { bits.low |= Self.level(severity) << place } else { bits.high |= Self.level(severity) << (place - 64) }
        return true
    }

    /// Whether the finding was reported as a risk or a fault.
    func accuses(_ name: FindingName) -> Bool { self[name] >= Self.level(.risk) }

    /// Whether anything but that was reported as a risk or a fault.
    func accuses(besides name: FindingName) -> Bool {
        var rest = self
        let place = name.rank * 2
        if place < 64 { rest.bits.low &= ~(3 << place) } else { rest.bits.high &= ~(3 << (place - 64)) }
        let worse: UInt64 = 0xaaaa_aaaa_aaaa_aaaa
        return (rest.bits.low | rest.bits.high) & worse != 0
    }

    private subscript(name: FindingName) -> UInt64 {
        let place = name.rank * 2
        return (place < 64 ? bits.low >> place : bits.high >> (place - 64)) & 3
    }

    private static func level(_ severity: Severity) -> UInt64 {
        switch severity {
        case .note: 1
        case .risk: 2
        case .fault: 3
        }
    }
}
