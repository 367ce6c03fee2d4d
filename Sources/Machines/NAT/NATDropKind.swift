/// Why a packet was not translated, without the particulars: what is counted apart.
public enum NATDropKind: String, Hashable, Sendable, CaseIterable {
    case malformed, unsupportedProtocol, spoofedSource, notOurAddress, noMapping, filtered, hairpinningOff, noFreePort
    case mappingLimit, hostLimit, unknownMapping, noConnection, heldSYNLimit, fragmentLimit, tinyFragment
    case firstFragmentDropped, fragmentTimeout, badChecksum, unsupportedICMP
}

extension NATDropReason {
    public var kind: NATDropKind {
        switch self {
        case .malformed: .malformed
        case .unsupportedProtocol: .unsupportedProtocol
        case .spoofedSource: .spoofedSource
        case .notOurAddress: .notOurAddress
        case .noMapping: .noMapping
        case .filtered: .filtered
        case .hairpinningOff: .hairpinningOff
        case .noFreePort: .noFreePort
        case .mappingLimit: .mappingLimit
        case .hostLimit: .hostLimit
        case .unknownMapping: .unknownMapping
        case .noConnection: .noConnection
        case .heldSYNLimit: .heldSYNLimit
        case .fragmentLimit: .fragmentLimit
        case .tinyFragment: .tinyFragment
        case .firstFragmentDropped: .firstFragmentDropped
        case .fragmentTimeout: .fragmentTimeout
        case .badChecksum: .badChecksum
        case .unsupportedICMP: .unsupportedICMP
        }
    }
}
