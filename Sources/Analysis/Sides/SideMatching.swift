import Base

/// Finds the same message in several captures and shows what the box between them changed.
///
/// Fed with every SIP message when there are two or more sources.
public struct SideMatching: Sendable {
    public init() {}

    public mutating func message(_ message: SideMessage) {}

    public mutating func finish() -> (findings: [Finding], sides: [SideComparison]) { ([], []) }
}
