import Base
import TLS

/// What became of the TLS sessions of a capture.
public struct TLSNotes: Hashable, Sendable {
    /// Why a session could not be read.
    public enum Unread: Hashable, Sendable {
        /// There was no key log, neither given nor in the file.
        case noLog
        case reason(TLSConnection.Reason)
        /// More sessions at once than are followed.
        case tooMany
    }

    /// Sessions that share a fate.
    public struct Group: Hashable, Sendable {
        public var count: UInt64 = 0
        /// Whom they were with, by server; those past `mostServers` are counted only.
        public var servers: [Endpoint: UInt64] = [:]
    }

    /// A session that could be read for a while.
    public struct Break: Hashable, Sendable {
        public var flow: PackedFlow
        /// Nanoseconds since 1970: when the first octet was missing.
        public var time: Int64
        /// The sender's direction could be read again later.
        public var isResumed: Bool
    }

    public static let mostServers = 64
    public static let mostBreaks = 16

    public internal(set) var connections: UInt64 = 0
    /// Sessions of which some text was read.
    public internal(set) var read: UInt64 = 0
    public internal(set) var unread: [Unread: Group] = [:]
    /// The first breaks; `broken` counts all.
    public internal(set) var breaks: [Break] = []
    public internal(set) var broken: UInt64 = 0
    /// Records that did not open although their session did: damaged on the way, or altered.
    public internal(set) var damagedRecords: UInt64 = 0
    /// Secrets in the file that came when a session had been given up for lack of them.
    public internal(set) var hasLateSecrets = false

    mutating func leave(_ why: Unread, _ server: Endpoint) {
        unread[why, default: Group()].count &+= 1
        if unread[why]!.servers[server] != nil || unread[why]!.servers.count < Self.mostServers {
            unread[why]!.servers[server, default: 0] &+= 1
        }
    }

    mutating func interrupt(_ flow: PackedFlow, at time: Int64, isResumed: Bool) {
        broken &+= 1
        if breaks.count < Self.mostBreaks { breaks.append(Break(flow: flow, time: time, isResumed: isResumed)) }
    }
}
