/// Keeps the times that a capture or a log claims within what can be reckoned with.
package enum CaptureTime {
    /// In the year 2116: a classic pcap file's last moment is ten years before.
    package static let latest = Int64.max / 2

    /// Nanoseconds since 1970, held between that year and 2116: the difference of any two fits, with room for seconds added.
    @inline(__always)
    package static func bounded(_ nanoseconds: Int64) -> Int64 { min(max(0, nanoseconds), latest) }
}
