import Base
import Lab
import PhoneNode
import ServerNode
import Testing

/// A configuration tree written by hand, as a YAML reader would build it; every node has a line of its own.
enum Tree {
    /// `key: value` lines, indented by two spaces a level; `- ` begins an item of a list.
    static func parse(_ text: String) -> ConfigNode {
        var lines: [(indent: Int, text: String, number: Int)] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let indent = line.prefix { $0 == " " }.count
            let rest = String(line.dropFirst(indent))
            if !rest.isEmpty { lines.append((indent, rest, number + 1)) }
        }
        var index = 0
        return block(&lines, &index, lines.first?.indent ?? 0)
    }

    private static func block(_ lines: inout [(indent: Int, text: String, number: Int)], _ index: inout Int, _ indent: Int)
        -> ConfigNode
    {
        func place(_ line: Int) -> ConfigPlace { .file(name: "test.yaml", line: line, column: indent + 1) }
        let first = lines[index].number
        if lines[index].text.hasPrefix("- ") {
            var items: [ConfigNode] = []
            while index < lines.count, lines[index].indent == indent, lines[index].text.hasPrefix("- ") {
                lines[index] = (indent + 2, String(lines[index].text.dropFirst(2)), lines[index].number)
                if lines[index].text.contains(": ") || lines[index].text.hasSuffix(":") {
                    items.append(block(&lines, &index, indent + 2))
                } else {
                    items.append(ConfigNode(.scalar(lines[index].text), at: place(lines[index].number)))
                    index += 1
                }
            }
            return ConfigNode(.sequence(items), at: place(first))
        }
        var entries: [ConfigNode.Entry] = []
        while index < lines.count, lines[index].indent == indent {
            let (_, text, number) = lines[index]
            let colon = text.range(of: text.hasSuffix(":") ? ":" : ": ")
            let key = String(text[..<colon.lowerBound])
            index += 1
            if text.hasSuffix(":"), index < lines.count, lines[index].indent > indent {
                entries.append(.init(key: key, place: place(number), value: block(&lines, &index, lines[index].indent)))
            } else {
                let value = text.hasSuffix(":") ? ConfigNode.Content.empty : .scalar(String(text[colon.upperBound...]))
                entries.append(.init(key: key, place: place(number), value: ConfigNode(value, at: place(number))))
            }
        }
        return ConfigNode(.mapping(entries), at: place(first))
    }
}

extension String {
    /// The first place of `part`, searched plainly.
    fileprivate func range(of part: String) -> Range<String.Index> {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(part) { return at..<index(at, offsetBy: part.count) }
            at = index(after: at)
        }
        return endIndex..<endIndex
    }
}

let homeNetwork = """
    name: home
    seed: 5
    links:
      home:
        latency: 1ms
      internet:
        latency: 20ms
    routers:
      - name: speedtouch
        profile: speedtouch-780
        lan:
          link: home
          address: 192.168.1.254/24
        wan:
          link: internet
          address: 192.0.2.80
    servers:
      - name: asterisk
        address: 203.0.113.5
        profile: chan_sip
        nat: yes
        keepalive: 25s
        accounts:
          - user: 300
            password: secret
    stun-servers:
      - name: stun
        address: 198.51.100.3
    phones:
      - name: desk
        link: home
        address: 192.168.1.64
        user: 300
        password: secret
        registrar: 203.0.113.5
        behaviour: seed
        stun: 198.51.100.3
        stun-interval: 5m
    """

func scenario(_ more: String, _ base: String = homeNetwork) throws(ConfigError) -> Scenario {
    try Scenario(Tree.parse(base + "\n" + more))
}

func mistake(_ more: String, _ base: String = homeNetwork) -> ConfigError? {
    do {
        _ = try scenario(more, base)
        return nil
    } catch { return error }
}

@Suite("Scenario files")
struct ScenarioTests {
    @Test("the story as a file: every expectation is met, and says what was seen")
    func story() throws {
        let file = try scenario(
            """
            events:
              - at: 14m
                router: speedtouch
                command: connection appconfig application=SIP SIP_ALG=disabled
              - at: 14m
                router: speedtouch
                command: connection appinfo application=SIP
            expect:
              - phone: desk
                status: Authorization error
                at: 1m
              - phone: desk
                registered: no
                at: 13m
              - phone: desk
                port-stable: no
                at: 13m
              - phone: desk
                reachable: no
                at: 13m
              - router: speedtouch
                says: SIP_ALG       disabled
                at: 15m
              - phone: desk
                registered-by: 16m
              - phone: desk
                port-stable: yes
                since: 14m
                at: 1h
              - phone: desk
                reachable: yes
                at: 1h
              - phone: desk
                registers-at-most: 20
                at: 1h
            """)
        #expect(file.length == .seconds(3_660))
        let result = file.run()
        for outcome in result.outcomes { #expect(outcome.isMet, "\(outcome.expectation): \(outcome.seen)") }
        #expect(result.isSuccess && result.outcomes.count == 9)
        #expect(
            result.outcomes[2].seen
                == "the server saw "
                + [52_899, 52_896, 52_899, 52_896, 52_899, 52_896, 52_899].map { "192.0.2.80:\($0)" }.joined(separator: ", then ")
        )
        #expect(result.outcomes[3].seen == "the server holds no binding of 300")
    }

    @Test("an expectation that is not met says what was seen instead")
    func unmet() throws {
        let result = try scenario(
            """
            expect:
              - phone: desk
                registered: yes
                at: 1m
            """
        ).run()
        #expect(!result.isSuccess)
        #expect(result.outcomes[0].seen.hasPrefix("the panel says \"Authorization error\""))
    }

    @Test("names are looked up at the lab's name server, by SRV too")
    func names() throws {
        let base = homeNetwork.replacing("registrar: 203.0.113.5", with: "registrar: example.net")
            .replacing("behaviour: seed", with: "dns: 198.51.100.53").replacing("speedtouch-780", with: "generic")
        let result = try scenario(
            """
            name-servers:
              - name: dns
                address: 198.51.100.53
                records:
                  _sip._udp.example.net: srv 10 5 5060 sip.example.net
                  sip.example.net: 203.0.113.5
            expect:
              - phone: desk
                registered-by: 5s
              - phone: desk
                reachable: yes
                at: 10m
            """, base
        ).run()
        for outcome in result.outcomes { #expect(outcome.isMet, "\(outcome.seen)") }
    }

    @Test("IPv6 is routed as it is: the phone registers from its own address and is reachable, however narrow the link")
    func ipv6() throws {
        let base = homeNetwork.replacing("address: 192.168.1.64", with: "address: 2001:db8:1::64/64")
            .replacing("registrar: 203.0.113.5", with: "registrar: 2001:db8:2::5")
            .replacing("address: 203.0.113.5", with: "address: 2001:db8:2::5").replacing("behaviour: seed", with: "expires: 1h")
            .replacing("    stun: 198.51.100.3\n", with: "").replacing("latency: 20ms", with: "mtu: 1280")
            .replacing("address: 192.168.1.254/24", with: "address: 192.168.1.254/24\n      ipv6: 2001:db8:1::1")
            .replacing("address: 192.0.2.80", with: "address: 192.0.2.80\n      ipv6: 2001:db8:2::1")
            .replacing("profile: speedtouch-780", with: "lan-routes: 2001:db8:1::/64")
        let result = try scenario(
            """
            expect:
              - phone: desk
                registered-by: 5s
              - phone: desk
                reachable: yes
                at: 10m
              - phone: desk
                port-stable: yes
                at: 1h
            """, base
        ).run()
        for outcome in result.outcomes { #expect(outcome.isMet, "\(outcome.expectation): \(outcome.seen)") }
        #expect(result.ledger.registers.first?.source == Endpoint("[2001:db8:1::64]:5060"))
    }

    @Test("a link that goes down, worse properties, a reboot, a phone switched off: events happen at their time")
    func events() throws {
        let base = homeNetwork.replacing("behaviour: seed", with: "start: 10s").replacing("speedtouch-780", with: "generic")
        let result = try scenario(
            """
            events:
              - at: 60s
                link: internet
                loss: 100%
              - at: 3m
                link: internet
                loss: 0
              - at: 10m
                router: speedtouch
                reboot: yes
              - at: 20m
                phone: desk
                action: stop
            expect:
              - phone: desk
                registered: no
                at: 9s
              - phone: desk
                registered-by: 11s
              - phone: desk
                reachable: no
                at: 2m
              - phone: desk
                reachable: yes
                at: 9m
              - phone: desk
                reachable: yes
                at: 19m
              - phone: desk
                status: Not registered
                at: 21m
            """, base
        ).run()
        for outcome in result.outcomes { #expect(outcome.isMet, "\(outcome.expectation): \(outcome.seen)") }
    }

    @Test("a mistake is told with line, key and what was expected")
    func mistakes() {
        let rows: [(String, String, Int, String, String)] = [
            (
                "latency: 20ms", "latency: soon", 7, "links.internet.latency",
                "expected a duration such as 250ms, 30s, 5m or 2h, found \"soon\""
            ),
            (
                "link: home\n      address: 192.168.1.254/24", "link: attic\n      address: 192.168.1.254/24", 12,
                "routers[0].lan.link", "there is no link \"attic\"; there are home, internet"
            ),
            (
                "profile: chan_sip", "profile: freeswitch", 20, "servers[0].profile",
                "expected one of pinhole, chan_sip, found \"freeswitch\""
            ),
            ("behaviour: seed", "behavior: seed", 36, "phones[0].behavior", "unknown key. Did you mean behaviour?"),
            ("name: stun", "name: desk", 30, "phones[0].name", "another box is already called \"desk\""),
            ("seed: 5", "seed: five", 2, "seed", "expected a whole number from 0 up, found \"five\""),
        ]
        for (old, new, line, key, problem) in rows {
            let found = mistake("", homeNetwork.replacing(old, with: new))
            #expect(found?.key == key)
            #expect(found?.problem.hasPrefix(problem) == true, "\(found?.problem ?? "nothing")")
            guard case .file(_, let at, _)? = found?.place else {
                Issue.record("no place for \(key)")
                continue
            }
            #expect(at == line, "\(key)")
        }
        let event = mistake("events:\n  - at: 1m\n    router: nobody\n    reboot: yes")
        #expect(event?.key == "events[0].router" && event?.problem == "there is no router \"nobody\"; there are speedtouch")
        let nothing = mistake("expect:\n  - phone: desk\n    at: 1m")
        #expect(nothing?.problem.hasPrefix("expected one of registered-by, registered, status") == true)
    }
}

extension String {
    fileprivate func replacing(_ old: String, with new: String) -> String {
        var result = ""
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(old) {
                result += new
                at = index(at, offsetBy: old.count)
            } else {
                result.append(self[at])
                at = index(after: at)
            }
        }
        return result
    }
}
