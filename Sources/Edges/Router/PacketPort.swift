import Base
import CLinux
import Glibc
import LinuxEdge

/// One interface of the machine, heard and spoken to frame by frame, whatever the kernel does with it.
///
/// It speaks with a MAC address of its own, so that the kernel takes nothing of the router's for itself; the interface hears every address as long
/// as this lives, and is as before when it ends, however that comes about.
final class PacketPort {
    let name: String
    let descriptor: Int32
    let mtu: Int
    /// nil: the interface is not this process's to look at.
    private let index: UInt32?
    /// Frames that the kernel did not take.
    private(set) var unsent: UInt64 = 0
    /// Frames too long for any packet, or that could not be cut into packets.
    private(set) var unfit: UInt64 = 0
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private static let slots: UInt32 = 32
    private static let headerLength = 14

    /// nil: not at an interface.
    convenience init?(_ place: RouterPlace) throws(RouterEdgeError) {
        switch place {
        case .interface(let name): try self.init(name)
        case .socket(let descriptor): try self.init(descriptor, "\(place)", mtu: 1500, index: nil)
        case .thisMachine: return nil
        }
    }

    private init(_ descriptor: Int32, _ name: String, mtu: Int, index: UInt32?) throws(RouterEdgeError) {
        guard let incoming = pl_frames_create(Self.slots), let outgoing = pl_frames_create(Self.slots) else {
            throw RouterEdgeError("\(name): no memory is left for frames")
        }
        (self.incoming, self.outgoing) = (incoming, outgoing)
        (self.descriptor, self.name, self.mtu, self.index) = (descriptor, name, mtu, index)
    }

    /// Throws what keeps the interface from being used, with what to do.
    private convenience init(_ name: String) throws(RouterEdgeError) {
        var found = pl_interface()
        let result = pl_interface_find(name, &found)
        guard result == 0 else {
            let why =
                result == -ENODEV
                ? "there is no such interface; see them with: ip link" : "\(SystemError(code: -result, doing: "asking for it"))"
            throw RouterEdgeError("\(name): \(why)")
        }
        guard found.isEthernet else {
            throw RouterEdgeError(
                "\(name) carries no Ethernet frames; the router needs a port that does, such as eth1 or one end of a veth pair")
        }
        guard found.isUp else { throw RouterEdgeError("\(name) is down; switch it on with: ip link set \(name) up") }
        let descriptor = pl_packet_open(found.index, 4 << 20)
        guard descriptor >= 0 else {
            let cure = descriptor == -1 ? "; it takes root, or the right CAP_NET_RAW" : ""
            throw RouterEdgeError("\(name): \(SystemError(code: -descriptor, doing: "opening a packet socket"))\(cure)")
        }
        try self.init(descriptor, name, mtu: Int(found.mtu), index: found.index)
    }

    /// Throws where the kernel has an address of its own there, a link-local one aside: it would answer beside the router.
    static func requireNoAddress(_ name: String) throws(RouterEdgeError) {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard String(cString: entry.ifa_name) == name, let address = IPAddress(kernel: entry.ifa_addr),
                !address.isLinkLocalIPv6
            else { continue }
            throw RouterEdgeError(
                "\(name) has the address \(address) in the kernel, which would answer beside the router; take it away (ip address flush dev \(name)) or say --share-interfaces"
            )
        }
    }

    deinit {
        pl_close(descriptor)
        pl_frames_destroy(incoming)
        pl_frames_destroy(outgoing)
    }

    /// Hands over the frames that wait, a batch at most. False: the interface went down, and is heard again when it is up. Throws where it is gone.
    func receive(_ take: ([UInt8]) -> Void) throws -> Bool {
        let count = pl_frames_receive(incoming, descriptor)
        guard count >= 0 else {
            guard count == -ENETDOWN else { throw SystemError(code: -count, doing: "receiving on \(name)") }
            // One that others opened ends with them.
            guard let index else { return false }
            var found = pl_interface()
            guard pl_interface_find(name, &found) == 0, found.index == index else {
                throw RouterEdgeError("\(name) is gone, and the router with it")
            }
            return false
        }
        for slot in 0..<UInt32(count) {
            var length = 0
            var size: UInt32 = 0
            guard let bytes = pl_frames_get(incoming, slot, &length, &size) else { continue }
            guard length > Self.headerLength else {
                unfit &+= 1
                continue
            }
            let frame = [UInt8](UnsafeBufferPointer(start: bytes, count: length))
            guard size > 0 else {
                take(frame)
                continue
            }
            let pieces = Segments.cut(Array(frame[Self.headerLength...]), size: Int(size))
            if pieces.isEmpty { unfit &+= 1 }
            for piece in pieces { take(frame[..<Self.headerLength] + piece) }
        }
        return true
    }

    private var queued = 0

    func send(_ frame: [UInt8]) {
        if !pl_frames_put(outgoing, frame, frame.count) {
            flush()
            guard pl_frames_put(outgoing, frame, frame.count) else {
                unfit &+= 1
                return
            }
        }
        queued += 1
    }

    func flush() {
        guard queued > 0 else { return }
        unsent &+= UInt64(queued - Int(pl_frames_send(outgoing, descriptor)))
        queued = 0
    }
}

/// Why the router cannot run, and what to do.
public struct RouterEdgeError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

extension IPAddress {
    /// nil: of another family, or none.
    fileprivate init?(kernel address: UnsafePointer<sockaddr>?) {
        guard let address else { return nil }
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let bits = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            self = .v4(IPv4Address(bits: UInt32(bigEndian: bits)))
        case AF_INET6:
            let octets = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
            }
            let words = [0, 8].map { at in octets[at..<at + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
            self = .v6(IPv6Address(high: words[0], low: words[1]))
        default: return nil
        }
    }
}
