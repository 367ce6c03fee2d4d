import Base
import CLinux
import Glibc

/// A program in namespaces of its own, behind the sockets of a router that is yet to run, and, where it is wanted, a server before it; all without
/// any right of root's (user_namespaces(7)).
public final class RouterTrial: Sendable {
    public struct Plan {
        /// What is run, with its words.
        public var command: [String]
        /// The program's own address and how many bits name the inside, and the router's.
        public var address: IPv4Address
        public var prefixLength: Int
        public var gateway: IPv4Address
        /// What its resolv.conf says.
        public var resolvers: String
        /// Whether it is root there; otherwise it is who we are.
        public var isRoot = false
        public var server: Server?

        public init(_ command: [String], address: IPv4Address, prefixLength: Int, gateway: IPv4Address, resolvers: String) {
            self.command = command
            self.address = address
            self.prefixLength = prefixLength
            self.gateway = gateway
            self.resolvers = resolvers
        }
    }

    /// This very program once more, with other words, before the router.
    public struct Server {
        public var address: IPv4Address
        public var prefixLength: Int
        public var arguments: [String]
        /// Where its lines go.
        public var output: Int32

        public init(_ arguments: [String], address: IPv4Address, prefixLength: Int, output: Int32) {
            self.arguments = arguments
            self.address = address
            self.prefixLength = prefixLength
            self.output = output
        }
    }

    public let inside: RouterPlace
    /// This machine, where there is no server.
    public let outside: RouterPlace
    private let child: pid_t
    private let channel: Int32

    /// Makes the namespaces; the program waits there for `begin`. Throws what keeps them from being made, with what to do.
    public init(_ plan: Plan) throws(RouterEdgeError) {
        var words = CWords()
        var trial = pl_trial()
        trial.address = words.keep("\(plan.address)/\(plan.prefixLength)")
        trial.gateway = words.keep("\(plan.gateway)")
        trial.resolvers = words.keep(plan.resolvers)
        trial.command = words.keep(plan.command)
        trial.isRoot = plan.isRoot
        if let server = plan.server {
            trial.serverAddress = words.keep("\(server.address)/\(server.prefixLength)")
            trial.server = words.keep(server.arguments)
            trial.serverOutput = server.output
        }
        var channel: Int32 = -1
        child = pl_trial_start(&trial, &channel)
        words.free()
        guard child > 0 else { throw RouterEdgeError("no process for the namespaces: \(String(cString: strerror(-child)))") }
        self.channel = channel
        var sockets: (inside: Int32, outside: Int32) = (-1, -1)
        var problem = [CChar](repeating: 0, count: 512)
        guard pl_trial_receive(channel, &sockets.inside, &sockets.outside, &problem, problem.count) else {
            close(channel)
            waitpid(child, nil, 0)
            let text = String(decoding: problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw RouterEdgeError(text.isEmpty ? "the namespaces could not be made" : text)
        }
        inside = .socket(sockets.inside)
        outside = sockets.outside < 0 ? .thisMachine : .socket(sockets.outside)
    }

    /// Starts the program, once the router runs.
    public func begin() { pl_trial_go(channel) }

    /// Waits until the program has ended; its exit status, or 128 and the signal that ended it. The server ends with it.
    public func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        close(channel)
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }
}

/// Words as C wants them, until they are freed.
private struct CWords {
    private var words: [UnsafeMutablePointer<CChar>] = []
    private var lists: [UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>] = []

    mutating func keep(_ text: String) -> UnsafePointer<CChar>? {
        guard let copy = strdup(text) else { return nil }
        words.append(copy)
        return UnsafePointer(copy)
    }

    mutating func keep(_ texts: [String]) -> UnsafePointer<UnsafeMutablePointer<CChar>?>? {
        let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { list[index] = keep(text).map { UnsafeMutablePointer(mutating: $0) } }
        list[texts.count] = nil
        lists.append(list)
        return UnsafePointer(list)
    }

    mutating func free() {
        words.forEach { Glibc.free($0) }
        lists.forEach { $0.deallocate() }
    }
}
