import Base
import Lab

/// A run as bytes: two that choose the cast, then transitions, one to four bytes each. Every byte string is a run; what it lacks at the end is zero.
package struct Script: Sendable {
    /// A transition and the bytes that mean it.
    package struct Step: Hashable, Sendable {
        package var transition: Transition
        package var bytes: [UInt8]
    }

    /// Longer runs are cut, so that each takes its part of a second.
    package static let mostSteps = 160

    package var variant: Variant
    package var steps: [Step]

    package init(_ bytes: [UInt8]) {
        var reader = TransitionReader(bytes)
        variant = Variant(reader.byte(), reader.byte())
        steps = []
        while !reader.isAtEnd, steps.count < Self.mostSteps {
            let start = reader.place
            let transition = reader.transition()
            steps.append(Step(transition: transition, bytes: Array(bytes[start..<min(reader.place, bytes.count)])))
        }
        // A step that was cut short is written out, so that others may follow it.
        if let last = steps.indices.last, reader.place > bytes.count {
            steps[last].bytes += Array(repeating: 0, count: reader.place - bytes.count)
        }
    }

    package init(variant: Variant, steps: [Step]) {
        self.variant = variant
        self.steps = steps
    }

    package var bytes: [UInt8] { variant.bytes + steps.flatMap(\.bytes) }
}

/// What a run's cast is like: bits of two bytes.
package struct Variant: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(_ first: UInt8, _ second: UInt8) { bytes = [first, second] }

    /// chan_sip's rules instead of ours: one run in eight.
    package var isChanSIP: Bool { bytes[0] & 7 == 7 }
    package var isPersistent: Bool { bytes[0] & 8 == 0 }
    /// Tables of a few entries each.
    package var isSmall: Bool { bytes[0] & 16 != 0 }
    package var allowsStrangers: Bool { bytes[0] & 32 != 0 }
    /// Which helper the first router has: SpeedTouch, Linux, none.
    package var helper: Int { Int(bytes[0] >> 6) % 3 }
    package var isSeedPhone: Bool { bytes[1] & 1 != 0 }
    package var usesReliableProvisionals: Bool { bytes[1] & 2 != 0 }
    package var hasSRTP: Bool { bytes[1] & 4 != 0 }
    package var wantsDirectMedia: Bool { bytes[1] & 8 != 0 }
    /// Packets take so long, a little apart.
    package var isSlow: Bool { bytes[1] & 16 != 0 }
    package var carolUsesTLS: Bool { bytes[1] & 32 != 0 }
}

/// Bytes to transitions.
struct TransitionReader {
    private let bytes: [UInt8]
    private(set) var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { place >= bytes.count }

    mutating func byte() -> UInt8 {
        defer { place += 1 }
        return place < bytes.count ? bytes[place] : 0
    }

    mutating func choice(_ count: Int) -> Int { Int(byte()) % count }

    mutating func transition() -> Transition {
        let code = byte()
        // What moves time and people is likelier than what goes wrong.
        switch code % 32 {
        case 0, 1: return .wait(.milliseconds(Int64(byte()) * 10))
        case 2: return .wait(.seconds(Int64(byte() % 64) + 1))
        case 3: return .wait(.seconds(Int64(byte() % 8) * 60 + 30))
        case 4, 5, 6: return .deadlines(choice(16) + 1)
        case 7...13: return .phone(Int(code / 32) % FuzzWorld.phoneCount, phoneDeed())
        case 14: return .router(Int(code / 32) % FuzzWorld.routerCount, routerDeed())
        case 15: return .linkDown(Int(code / 64) % FuzzWorld.linkCount, code & 32 == 0)
        case 16, 17: return .packet(Int(code / 32), fate())
        case 18: return .packet(choice(16), .drop)
        case 19, 20: return .server(serverDeed(Int(code / 32)))
        case 21, 22: return .media(mediaDeed(Int(code / 32)))
        case 23...28: return .endpoint(endpointDeed(dialog: Int(code / 32) % 4))
        default: return .stranger(strangerDeed())
        }
    }

    private mutating func phoneDeed() -> PhoneDeed {
        switch choice(20) {
        case 0, 1: .start
        case 2: .stop
        case 3: .restart
        case 4: .roam(choice(4))
        case 5, 6, 7: .call(choice(Cast.targets.count), lateOffer: false)
        case 8: .call(choice(Cast.targets.count), lateOffer: true)
        case 9, 10, 11: .answer
        case 12: .hold
        case 13: .resume
        case 14: .hangUp
        case 15: .reject([486, 603, 480, 404, 500, 302][choice(6)])
        case 16: .transfer(choice(Cast.targets.count))
        case 17: .transferAttended
        case 18: .digits
        default: .text(choice(Cast.targets.count))
        }
    }

    private mutating func routerDeed() -> RouterDeed {
        switch choice(4) {
        case 0: .reboot
        case 1: .forget
        case 2: .helper(true)
        default: .helper(false)
        }
    }

    private mutating func fate() -> PacketFate {
        switch choice(4) {
        case 0: .duplicate
        case 1: .delay(milliseconds: Int(byte()) * 40)
        default: .mutate(mutation())
        }
    }

    mutating func mutation() -> Mutation { Mutation(Mutation.Kind.allCases[choice(Mutation.Kind.allCases.count)], Int(byte())) }

    private mutating func serverDeed(_ choice: Int) -> ServerDeed {
        switch choice {
        case 0: .restart
        case 1: .storage(.works)
        case 2: .storage(.fails)
        case 3: .storage(.slow)
        case 4: .withoutAccount(self.choice(Cast.users.count + 1))
        case 5: .wallClock(seconds: (Int(byte()) - 128) * 60)
        default: .probe(self.choice(Cast.users.count))
        }
    }

    private mutating func mediaDeed(_ choice: Int) -> MediaDeed {
        switch choice {
        case 0: .holdVerdicts(byte() & 1 == 0)
        case 1: .silent(self.choice(8))
        case 2: .finished(self.choice(8))
        case 3: .closed(self.choice(8))
        case 4: .locked(self.choice(8))
        case 5: .disbelieved(self.choice(8))
        case 6: .digit(self.choice(8))
        default: .unknownLeg
        }
    }

    private mutating func endpointDeed(dialog: Int) -> EndpointDeed {
        switch choice(24) {
        case 0, 1: .register(seconds: [300, 60, 30, 0, 7200][choice(5)])
        case 2: .unregister(everybody: byte() & 1 == 1)
        case 3: .options
        case 4, 5, 6: .invite(choice(Cast.targets.count), offer())
        case 7, 8, 9: .respond(dialog: dialog, status: [200, 180, 183, 486, 302, 401, 603, 503, 488, 100][choice(10)])
        case 10: .ack(dialog: dialog)
        case 11: .cancel(dialog: dialog)
        case 12: .bye(dialog: dialog)
        case 13: .reinvite(dialog: dialog, offer())
        case 14: .update(dialog: dialog)
        case 15: .info(dialog: dialog)
        case 16: .prack(dialog: dialog)
        case 17: .refer(dialog: dialog, to: choice(Cast.targets.count))
        case 18: .referReplaces(dialog: dialog, other: choice(4))
        case 19: .inviteReplaces(dialog: dialog)
        case 20: .subscribe(choice(Cast.targets.count), event: choice(5), seconds: [120, 0, 10, 7200][choice(4)])
        case 21: .message(choice(Cast.targets.count))
        case 22: .answersByItself(byte() & 1 == 0)
        default: .acknowledgesByItself(byte() & 1 == 0)
        }
    }

    private mutating func offer() -> EndpointDeed.Offer {
        EndpointDeed.Offer.allCases[choice(EndpointDeed.Offer.allCases.count)]
    }

    private mutating func strangerDeed() -> StrangerDeed {
        switch choice(10) {
        case 0: .junk(choice(6))
        case 1: .replay(Int(byte()), forged: false, nil)
        case 2: .replay(Int(byte()), forged: true, nil)
        case 3, 4: .replay(Int(byte()), forged: true, mutation())
        case 5: .request(choice(Cast.methods.count), target: choice(Cast.targets.count))
        case 6: .guess(choice(Cast.methods.count), target: choice(Cast.targets.count))
        case 7: .response(Int(byte()), status: [200, 100, 180, 404, 486, 603][choice(6)])
        case 8: .intrude(Int(byte()), method: choice(Cast.methods.count))
        default: .flood(choice(40) + 1)
        }
    }
}
