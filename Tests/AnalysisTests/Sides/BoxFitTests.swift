import Analysis
import Base
import Testing

@Suite("Which known box fits what was rewritten")
struct BoxFitTests {
    private typealias S = SideScene

    /// A registration and a call, rewritten by `change(text, isOutbound)`.
    private func fits(_ change: (String, Bool) -> String) -> [BoxFit] {
        var scene = SideScene()
        func both(_ text: String, at seconds: Double, isOutbound: Bool) {
            let other = change(text, isOutbound)
            scene.cross(isOutbound ? text : other, isOutbound ? other : text, at: seconds, isOutbound: isOutbound)
        }
        both(S.register(), at: 0, isOutbound: true)
        both(S.ok(host: "203.0.113.2:41000"), at: 0.1, isOutbound: false)
        both(S.invite(), at: 1, isOutbound: true)
        return scene.sides.finish().sides.first?.fits ?? []
    }

    private func recounted(_ text: String) -> String {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return text }
        let count = text[end.upperBound...].utf8.count
        guard count > 0, let length = text.firstRange(of: "Content-Length: ") else { return text }
        return text[..<length.upperBound] + "\(count)" + text[length.upperBound...].drop { $0.isNumber }
    }

    private func line(_ text: String, _ start: String, _ old: String, _ new: String) -> String {
        text.split(separator: "\r\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(start) ? String($0).with(old, new) : String($0) }.joined(separator: "\r\n")
    }

    /// Replaces `192.168.1.100:5060` by the outer endpoint, or back, in lines with that beginning.
    private func endpoints(_ text: String, _ isOutbound: Bool, _ starts: [String]) -> String {
        let (inner, outer) = ("192.168.1.100:5060", "203.0.113.2:41000")
        return starts.reduce(text) { line($0, $1, isOutbound ? inner : outer, isOutbound ? outer : inner) }
    }

    @Test("Via, Contact, received, rport, c= and o= with a recounted length: Linux, all of it")
    func linux() {
        let best = fits { text, isOutbound in
            var text = endpoints(text, isOutbound, ["Via", "Contact"])
            if isOutbound {
                text = line(line(text, "c=", "192.168.1.100", "203.0.113.2"), "o=", "192.168.1.100", "203.0.113.2")
            } else {
                text = text.with("received=203.0.113.2", "received=192.168.1.100").with("rport=41000", "rport=5060")
            }
            return recounted(text)
        }.first
        #expect(best?.box == "Linux nf_nat_sip")
        #expect(best?.share == 1)
        #expect(best?.changes == 11)
        #expect(best?.isProved == true)
    }

    @Test("Via and Contact alone: a SpeedTouch 780, for Linux would have touched the session description")
    func speedTouch() {
        let all = fits { endpoints($0, $1, ["Via", "Contact"]) }
        #expect(all.first?.box == "SpeedTouch 780")
        #expect(all.first?.share == 1)
        #expect((all.first { $0.box == "Linux nf_nat_sip" }?.contradicted ?? 0) > 0)
    }

    @Test("the Call-ID's host as well: Junos, or QuickSec where nothing tells them apart")
    func callID() {
        let best = fits { text, isOutbound in
            var text = endpoints(text, isOutbound, ["Via", "Contact"])
            if isOutbound {
                text = line(line(text, "c=", "192.168.1.100", "203.0.113.2"), "o=", "192.168.1.100", "203.0.113.2")
                text = line(text, "Call-ID", "192.168.1.100", "203.0.113.2")
            }
            return recounted(text)
        }.first
        #expect(best?.share == 1)
        #expect(best?.box == "SafeNet QuickSec based box" || best?.box == "Juniper (Junos)")
    }

    @Test("c= without o=: Cisco ASA")
    func asa() {
        let best = fits { text, isOutbound in
            let text = endpoints(text, isOutbound, ["Via", "Contact"])
            return recounted(isOutbound ? line(text, "c=", "192.168.1.100", "203.0.113.2") : text)
        }.first
        #expect(best?.box == "Cisco ASA")
        #expect(best?.share == 1)
    }

    @Test("the remedy of a box that fits is its command")
    func remedy() {
        var scene = SideScene()
        for number in 1...3 {
            scene.cross(S.register(number), endpoints(S.register(number), true, ["Via", "Contact"]), at: Double(number))
        }
        let finding = scene.sides.finish().findings.first
        #expect(finding?.remedies.first?.commands.isEmpty == false)
        #expect(finding?.details.first?.contains(" of 6 rewritten fields") == true)
    }

    @Test("rewriting that no known box does fits nothing well, and no command is guessed")
    func unknown() {
        var scene = SideScene()
        scene.cross(S.register(), S.register().with("Expires: 3600", "Expires: 60"), at: 0)
        let (findings, sides) = scene.sides.finish()
        #expect(sides.first?.fits.isEmpty == true)
        #expect(findings.first?.remedies.first?.commands.isEmpty == true)
        #expect(sides.first?.fields.map(\.field) == [.other("expires")])
    }
}
