import Base
import Foundation
import MetricsEdge

/// What the system says of this process, under the names that every exporter gives them.
enum ProcessMetrics {
    static func families() -> [MetricFamily] {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let resident = pages("/proc/self/statm") * Double(sysconf(Int32(_SC_PAGESIZE)))
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
        return [
            MetricFamily(
                "process_cpu_seconds_total", .counter, "User and system CPU time spent in seconds.", [.init([], .number(cpu))]),
            MetricFamily(
                "process_max_fds", .gauge, "Maximum number of open file descriptors.",
                [.init([], .number(Double(limit.rlim_cur)))]),
            MetricFamily("process_open_fds", .gauge, "Number of open file descriptors.", [.init([], .number(Double(open)))]),
            MetricFamily(
                "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.", [.init([], .number(resident))]),
        ]
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// The second number of statm: resident pages (proc(5)).
    private static func pages(_ path: String) -> Double {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
        return text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    }
}
