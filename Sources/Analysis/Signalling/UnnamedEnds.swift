import Base
import Capture

/// Ends that a log names by a word, or not at all: each has a stand-in in place of an address, so that who asks and who answers are told
/// apart, and a name that a reader understands.
struct UnnamedEnds: Sendable {
    enum Who: Hashable, Sendable {
        /// The program that writes the log of a file, and whoever it speaks with there.
        case program(file: UInt16)
        case other(file: UInt16)
        /// In place of an address: a host's name, or what is left of an address.
        case named(String)
        /// Neither end is told: by who asked first in dialogs of that kind.
        case asking(DialogKind)
        case asked(DialogKind)
    }

    /// What is known of the program that writes a log.
    enum Role: Int, Sendable { case unknown, phone, browser, server }

    /// Further ones are all the same unknown end.
    static let most = 4_096

    private var list: [Who] = []
    private var numbers: [Who: Int] = [:]
    private var roles: [UInt16: Role] = [:]
    /// Where the program of each log stands, by its own words; `own`: all are the same.
    private var standing: [UInt16: (own: PackedEndpoint?, all: Set<PackedAddress>)] = [:]

    mutating func address(of who: Who) -> PackedAddress {
        if let number = numbers[who] { return PackedAddress(unnamed: number) }
        guard list.count < Self.most else { return .unknown }
        numbers[who] = list.count
        list.append(who)
        return PackedAddress(unnamed: list.count - 1)
    }

    /// A program that once acted as a server is one, whatever else it does.
    mutating func note(_ role: Role, file: UInt16) {
        roles[file] = Role(rawValue: max(role.rawValue, roles[file]?.rawValue ?? 0))
    }

    mutating func stands(_ endpoint: PackedEndpoint, file: UInt16) {
        guard endpoint.isKnown else { return }
        var known = standing[file] ?? (endpoint, [])
        if known.own != endpoint { known.own = nil }
        if known.all.count < 64 { known.all.insert(endpoint.address) }
        standing[file] = known
    }

    /// Nothing tells it from another.
    func isVague(_ endpoint: PackedEndpoint) -> Bool {
        guard !endpoint.isKnown else { return false }
        if let number = endpoint.address.unnamed, number < list.count, case .named = list[number] { return false }
        return true
    }

    func mayBe(_ a: PackedEndpoint, _ b: PackedEndpoint, _ file: UInt16) -> Bool {
        if a.address == b.address { return true }
        let program = numbers[.program(file: file)].map { PackedAddress(unnamed: $0) }
        func isOwn(_ one: PackedEndpoint) -> Bool { one.address == program || standing[file]?.all.contains(one.address) == true }
        func isSeat(_ one: PackedEndpoint) -> Bool { isVague(one) && one.address != program }
        return isOwn(a) && isOwn(b) || isSeat(a) && !isOwn(b) || isSeat(b) && !isOwn(a)
    }

    /// In the middle of a sentence; nil where nothing is known but perhaps a port.
    func name(of address: PackedAddress) -> String? {
        guard let number = address.unnamed, number < list.count else { return nil }
        switch list[number] {
        case .program(let file):
            if let own = standing[file]?.own { return "\(own.endpoint)" }
            switch roles[file] ?? .unknown {
            case .server: return "the logging server"
            case .phone: return "the logging phone"
            case .browser: return "the logging browser"
            case .unknown: return "the logging program"
            }
        case .other: return "the far end"
        case .named(let host): return Self.tells(host) ? host : nil
        case .asking(let kind): return kind == .call ? "the caller" : kind == .registration ? "the phone" : "the asking end"
        case .asked(let kind): return kind == .call ? "the called end" : kind == .registration ? "the server" : "the asked end"
        }
    }

    /// `x.x.x.x` and `<public-ip>` tell nobody apart.
    private static func tells(_ host: String) -> Bool {
        host.utf8.count <= 128
            && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3c && $0 != 0x22 }
            && host.utf8.contains { (0x30...0x39).contains($0) || (0x61...0x77).contains($0 | 0x20) }
    }

    /// By number in a table of ends.
    func names(_ ends: [PackedEndpoint]) -> [UInt32: String] {
        guard !list.isEmpty else { return [:] }
        return ends.enumerated().reduce(into: [:]) { result, end in
            result[UInt32(end.offset)] = name(of: end.element.address)
        }
    }

    // MARK: Sentences

    /// Stands for a name until all is known: no text of a log is likely to hold it.
    static func stand(_ number: Int, port: UInt16) -> String {
        let scalar = Unicode.Scalar(UInt32(firstStand + number)) ?? " "
        return String(Character(scalar)) + (port == 0 ? "" : ":\(port)")
    }

    private static let firstStand = 0xf_0000

    /// The sentence, or a part of one, with names.
    func filled(_ text: String, isSentence: Bool = true) -> String {
        let last = Self.firstStand + Self.most
        func number(_ scalar: Unicode.Scalar) -> Int? {
            let value = Int(scalar.value)
            return value >= Self.firstStand && value < last ? value - Self.firstStand : nil
        }
        guard text.unicodeScalars.contains(where: { number($0) != nil }) else { return text }
        var out = ""
        let scalars = Array(text.unicodeScalars)
        var at = 0
        while at < scalars.count {
            guard let found = number(scalars[at]) else {
                out.unicodeScalars.append(scalars[at])
                at += 1
                continue
            }
            let hasPort = at + 2 < scalars.count && scalars[at + 1] == ":" && scalars[at + 2].properties.numericType != nil
            var name = name(of: PackedAddress(unnamed: found)) ?? (hasPort ? "port " : "an end without an address")
            if name == "port " { at += 1 }
            if isSentence, out.isEmpty || out.hasSuffix(". "), name.contains(" ") {
                name = name.prefix(1).uppercased() + name.dropFirst()
            }
            out += name
            at += 1
        }
        return out
    }

    func filled(_ finding: Finding) -> Finding {
        guard !list.isEmpty else { return finding }
        var finding = finding
        finding.summary = filled(finding.summary)
        finding.details = finding.details.map { filled($0) }
        for index in finding.evidence.indices {
            finding.evidence[index].says = filled(finding.evidence[index].says, isSentence: false)
        }
        for index in finding.remedies.indices { finding.remedies[index].text = filled(finding.remedies[index].text) }
        switch finding.culprit {
        case .unknown: break
        case .between(let a, let b): finding.culprit = .between(filled(a, isSentence: false), filled(b, isSentence: false))
        case .proved(let box): finding.culprit = .proved(filled(box, isSentence: false))
        }
        return finding
    }
}

extension PackedAddress {
    /// The stand-in of an end that a log does not name: of `::1:0:0/96`, which nobody has.
    init(unnamed number: Int) { self.init(high: 0, low: 1 << 32 | UInt64(UInt32(truncatingIfNeeded: number))) }

    /// Its number; nil also for an address of that block that a packet bears all the same.
    var unnamed: Int? {
        let number = UInt32(truncatingIfNeeded: low)
        return high == 0 && low >> 32 == 1 && number < UnnamedEnds.most ? Int(number) : nil
    }
}
