import Foundation

/// A REGISTER and its 401 as records, escapes and pages hold them.
enum WrappedLogs {
    static let request: [String] = LogFormsTests.request
    static let response: [String] = LogFormsTests.response
    static let wires: [String] = [LogFormsTests.wire(request), LogFormsTests.wire(response)]

    static func quoted(_ text: String) -> String {
        "\""
            + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
            .replacingOccurrences(of: "\r", with: "\\r").replacingOccurrences(of: "\n", with: "\\n") + "\""
    }

    static func pair(_ make: (String, String, Int) -> String) -> String {
        make("Sent to UDP:203.0.113.10:5060", wires[0], 123) + "\n" + make("Received from UDP:203.0.113.10:5060", wires[1], 161)
            + "\n"
    }

    /// The text, and the time of the first message.
    static let records: [(name: String, text: String, time: String?)] = [
        (
            "docker's json-file",
            (["Sent to UDP:203.0.113.10:5060"] + request + ["Received from UDP:203.0.113.10:5060"] + response).map {
                "{\"log\":\(quoted($0 + "\r\n")),\"stream\":\"stdout\",\"time\":\"2024-01-31T12:00:00.123456789Z\"}"
            }.joined(separator: "\n"), "2024-01-31 12:00:00.123456789"
        ),
        (
            "journald -o json",
            pair { "{\"__REALTIME_TIMESTAMP\":\"1706702400\($2)000\",\"_PID\":\"7\",\"MESSAGE\":\(quoted($0 + "\n" + $1))}" },
            "2024-01-31 12:00:00.123"
        ),
        (
            "journald's octets",
            pair { head, wire, _ in
                "{\"__REALTIME_TIMESTAMP\":\"1706702400123000\",\"MESSAGE\":["
                    + (head + "\n" + wire).utf8.map { String($0) }.joined(separator: ",") + "]}"
            }, "2024-01-31 12:00:00.123"
        ),
        (
            "pino", pair { "{\"level\":30,\"time\":1706702400\($2),\"pid\":7,\"msg\":\(quoted($0 + "\n" + $1))}" },
            "2024-01-31 12:00:00.123"
        ),
        (
            "a store's export, direction and ends beside the text",
            wires.enumerated().map {
                let (source, destination) = $0 == 0 ? ("192.168.1.20", "203.0.113.10") : ("203.0.113.10", "192.168.1.20")
                return
                    "{\"@timestamp\":\"2024-01-31T12:00:00.123Z\",\"direction\":\"\($0 == 0 ? "OUT" : "IN")\",\"src_ip\":\"\(source)\",\"src_port\":5060,"
                    + "\"dst_ip\":\"\(destination)\",\"dst_port\":5060,\"message\":\(quoted($1))}"
            }.joined(separator: "\n"), "2024-01-31 12:00:00.123"
        ),
        (
            "line ends as escapes",
            pair { "2024-01-31 12:00:00.\($2) \($0): \($1.replacingOccurrences(of: "\r\n", with: "\\r\\n"))" },
            "2024-01-31 12:00:00.123"
        ),
        (
            "escapes within quotes", pair { "2024-01-31T12:00:00.\($2)Z \($0) msg=\(quoted($1)) size=488" },
            "2024-01-31 12:00:00.123"
        ),
        (
            "a page's line breaks",
            pair { head, wire, _ in
                "<p>" + ([head] + wire.components(separatedBy: "\r\n").dropLast()).joined(separator: "<br />") + "</p>"
            }.replacingOccurrences(of: "<sip:", with: "&lt;sip:"), nil
        ),
        (
            "a page's source, line by line",
            pair { head, wire, _ in head + "<br>\n" + wire.replacingOccurrences(of: "\r\n", with: "<br>\n") }
                .replacingOccurrences(of: "<sip:", with: "&lt;sip:").replacingOccurrences(of: "\">", with: "\"&gt;"), nil
        ),
    ]
}
