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

    /// How many addresses its name has; only where nobody answers at one can others be of use.
    let addresses: Int
    private let descriptor: Int32

    /// Asks for the addresses of a name; takes as long as name servers take. `index`: which of them comes first. Throws in words what is wrong.
    init(_ host: String, _ port: UInt16, from index: Int) throws(CollectorError) {
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
        var infos: [UnsafeMutablePointer<addrinfo>] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let info = next {
            infos.append(info)
            next = info.pointee.ai_next
        }
        var reason: Int32 = 0
        for turn in infos.indices {
            let info = infos[(index + turn) % infos.count].pointee
            let descriptor = socket(info.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else {
                reason = errno
                continue
            }
            guard connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 else {
                reason = errno
                close(descriptor)
                continue
            }
            self.descriptor = descriptor
            addresses = infos.count
            return
        }
        throw CollectorError(description: "\(host) cannot be reached: \(String(cString: strerror(reason)))")
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

struct CollectorError: Error {
    var description: String
}
