import Glibc

/// A UDP socket connected to the collector, so that the kernel tells when nobody listens there.
struct CollectorSocket: ~Copyable {
    enum Outcome {
        case sent
        /// Its buffer is full: this one is lost.
        case full
        /// What was sent before did not arrive, or this cannot leave: errno.
        case refused(Int32)
    }

    private let descriptor: Int32

    /// Connects to the first of the addresses that it can, beginning at `index`, round the list. Throws in words what is wrong.
    init(_ addresses: [CollectorAddress], from index: Int) throws(CollectorError) {
        var reason: Int32 = 0
        for turn in addresses.indices {
            let address = addresses[(index + turn) % addresses.count]
            let descriptor = socket(address.family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else {
                reason = errno
                continue
            }
            guard address.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 else {
                reason = errno
                close(descriptor)
                continue
            }
            self.descriptor = descriptor
            return
        }
        throw CollectorError(description: "it cannot be reached: \(String(cString: strerror(reason)))")
    }

    deinit { close(descriptor) }

    /// Never waits.
    func send(_ bytes: [UInt8]) -> Outcome {
        while true {
            let count = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            if count >= 0 { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .full
            default: return .refused(errno)
            }
        }
    }
}

/// One address of the collector's name.
struct CollectorAddress {
    let family: Int32
    private let octets: [UInt8]

    /// Asks for the addresses of a name, at least one; takes as long as name servers take. Throws in words what is wrong.
    static func all(of host: String, _ port: UInt16) throws(CollectorError) -> [CollectorAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        var status = getaddrinfo(host, "\(port)", &hints, &list)
        if status != 0, list == nil {
            // Without a route, loopback's addresses are no reason to be left out.
            hints.ai_flags = 0
            status = getaddrinfo(host, "\(port)", &hints, &list)
        }
        guard status == 0, let first = list else {
            throw CollectorError(description: "\(host) has no address: \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(first) }
        var found: [CollectorAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let info = next?.pointee {
            let octets = UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen))
            found.append(CollectorAddress(family: info.ai_family, octets: Array(octets)))
            next = info.ai_next
        }
        return found
    }

    func withSocketAddress<T>(_ use: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: octets) }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { use($0, socklen_t(octets.count)) }
        }
    }
}

struct CollectorError: Error {
    var description: String
}
