/// Where a fact can be looked up again: a frame of a capture, a line of a text log, or the n-th thing seen live.
public struct EvidencePlace: Hashable, Comparable, Sendable, CustomStringConvertible {
    public enum Kind: UInt8, Hashable, Sendable { case frame, line, live }

    public var kind: Kind
    /// Index into `AnalysisResult.sources`.
    public var file: UInt16
    /// Counted from 1, as Wireshark and editors do.
    public var number: UInt32

    public init(_ kind: Kind, file: UInt16, number: UInt32) {
        self.kind = kind
        self.file = file
        self.number = number
    }

    public static func frame(file: Int, number: Int) -> EvidencePlace {
        EvidencePlace(.frame, file: UInt16(clamping: file), number: UInt32(clamping: number))
    }

    public static func line(file: Int, number: Int) -> EvidencePlace {
        EvidencePlace(.line, file: UInt16(clamping: file), number: UInt32(clamping: number))
    }

    public static func live(file: Int = 0, number: Int) -> EvidencePlace {
        EvidencePlace(.live, file: UInt16(clamping: file), number: UInt32(clamping: number))
    }

    public var vantage: Vantage { Vantage(file) }

    public static func < (a: EvidencePlace, b: EvidencePlace) -> Bool { (a.file, a.number) < (b.file, b.number) }

    /// `frame 12`, `line 7`, `message 3`; the file's name is the report's business.
    public var description: String {
        switch kind {
        case .frame: "frame \(number)"
        case .line: "line \(number)"
        case .live: "message \(number)"
        }
    }
}

/// From where something was seen: one capture, one log or one live tap, by its index into `AnalysisResult.sources`.
public struct Vantage: Hashable, Comparable, Sendable {
    public var index: UInt16

    public init(_ index: UInt16) { self.index = index }

    public static func < (a: Vantage, b: Vantage) -> Bool { a.index < b.index }
}
