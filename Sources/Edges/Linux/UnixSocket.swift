import CLinux
import Glibc

/// Sockets in the file system, for programs of one machine.
package enum UnixSocket {
    /// Octets of a path, its end included (unix(7)).
    package static let longestPath = 107

    /// nil: nobody is there.
    package static func connect(_ path: String) -> Int32? {
        guard path.utf8.count <= longestPath else { return nil }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard named(path, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Listens, for this user and root alone. A socket that a dead program left behind is taken over; whether one that lives has it is the
    /// caller's to find out. A descriptor, or why not, from errno.
    package static func listen(_ path: String) -> Result<Int32, SystemError> {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let mask = umask(0o177)
        defer { umask(mask) }
        guard listener >= 0, named(path, { bind(listener, $0, $1) }) == 0, Glibc.listen(listener, 8) == 0 else {
            let error = SystemError(code: errno, doing: path)
            if listener >= 0 { close(listener) }
            return .failure(error)
        }
        return .success(listener)
    }

    /// Whether root or our own user is at the other end.
    package static func isOurs(_ descriptor: Int32) -> Bool {
        let user = pl_peer_user(descriptor)
        return user == 0 || user == Int64(geteuid())
    }

    private static func named(_ path: String, _ use: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { use($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
