import Base
import SIPStack
import Testing

@Suite("Stateless nonces")
struct NonceIssuerTests {
    private let start = Instant(seconds: 1_600_000_000)  // a multiple of 16 s
    private let key = NonceKey(id: 7, secret: Array("a key of the server's cluster...".utf8))

    private func issuer(_ keys: [NonceKey]? = nil) -> NonceIssuer { NonceIssuer(keys: keys ?? [key]) }

    @Test("A retransmitted request draws the same nonce; another CSeq, Call-ID, key or time another")
    func same() {
        let issuer = issuer()
        let nonce = issuer.issue(callID: bytes("c1"), sequence: 1, at: start)
        #expect(nonce.count == 54)
        #expect(issuer.issue(callID: bytes("c1"), sequence: 1, at: start + .seconds(15)) == nonce)
        #expect(issuer.issue(callID: bytes("c1"), sequence: 2, at: start) != nonce)
        #expect(issuer.issue(callID: bytes("c2"), sequence: 1, at: start) != nonce)
        #expect(issuer.issue(callID: bytes("c1"), sequence: 1, origin: 1, at: start) != nonce)
        #expect(issuer.issue(callID: bytes("c1"), sequence: 1, at: start + .seconds(16)) != nonce)
        #expect(
            self.issuer([NonceKey(id: 7, secret: [UInt8](repeating: 1, count: 32))]).issue(
                callID: bytes("c1"), sequence: 1, at: start) != nonce)
    }

    @Test(
        "RFC 2104: the code is HMAC-SHA-256, for keys of up to a block and longer ones, so that all versions take each other's nonces"
    )
    func code() {
        let long = NonceKey(id: 7, secret: [UInt8](repeating: 1, count: 80))
        #expect(
            issuer().issue(callID: bytes("c1"), sequence: 1, at: start)
                == Array(bytes("075f5e100000000000ed8a6d55a6692bcf937619b8a35d64a57587")))
        #expect(
            issuer([long]).issue(callID: bytes("c1"), sequence: 1, at: start)
                == Array(bytes("075f5e1000000000004a54acfcfb787491ce6c25832cac1b3ace02")))
    }

    @Test("A nonce lives its lifetime, 300 s, wherever in its 16 s it was made, and no longer than 316 s")
    func lifetime() {
        let issuer = issuer()
        let early = issuer.issue(callID: bytes("c"), sequence: 1, at: start)
        let late = issuer.issue(callID: bytes("c"), sequence: 1, at: start + .seconds(15))
        #expect(early == late)
        #expect(issuer.check(late[...], at: start + .seconds(315)) == .valid)
        #expect(issuer.check(early[...], at: start + .seconds(316)) == .valid)
        #expect(issuer.check(early[...], at: start + .seconds(317)) == .expired(age: .seconds(317)))
        #expect(issuer.check(early[...], at: start - .seconds(60)) == .valid)
    }

    @Test("Nonces survive a restart with the same key, and a rotation until the key is dropped")
    func keys() {
        var issuer = issuer()
        let nonce = issuer.issue(callID: bytes("c"), sequence: 1, at: start)
        #expect(self.issuer().check(nonce[...], at: start) == .valid)
        for id: UInt8 in 8...10 {
            issuer.rotate(to: NonceKey(id: id, secret: [UInt8](repeating: id, count: 32)))
            #expect(issuer.check(nonce[...], at: start) == .valid)
        }
        issuer.rotate(to: NonceKey(id: 11, secret: [UInt8](repeating: 11, count: 32)))
        #expect(issuer.check(nonce[...], at: start) == .foreign)
        let former = NonceIssuer(keys: [NonceKey(id: 9, secret: [UInt8](repeating: 9, count: 32)), key])
        #expect(former.check(nonce[...], at: start) == .valid)
    }

    @Test("Every change of every digit makes a nonce foreign")
    func tampering() {
        let issuer = issuer()
        let nonce = issuer.issue(callID: bytes("c"), sequence: 1, at: start)
        for place in nonce.indices {
            for digit in Array("0123456789abcdefg".utf8) where digit != nonce[place] {
                var changed = nonce
                changed[place] = digit
                #expect(issuer.check(changed[...], at: start) == .foreign)
            }
        }
        #expect(issuer.check(nonce.dropLast(), at: start) == .foreign)
        #expect(issuer.check([], at: start) == .foreign)
        #expect(issuer.check([UInt8](repeating: 0xff, count: 46)[...], at: start) == .foreign)
    }

    @Test("A nonce is recognised when a box turned it to upper case")
    func upperCase() {
        let issuer = issuer()
        let nonce = issuer.issue(callID: bytes("c"), sequence: 1, at: start)
        #expect(issuer.check(bytes(String(decoding: nonce, as: UTF8.self).uppercased()), at: start) == .valid)
    }

    @Test("Ten thousand requests draw ten thousand nonces")
    func distinct() {
        let issuer = issuer()
        var seen: Set<[UInt8]> = []
        for call in 0..<100 {
            for sequence: UInt32 in 0..<100 {
                seen.insert(issuer.issue(callID: bytes("call-\(call)"), sequence: sequence, at: start))
            }
        }
        #expect(seen.count == 10_000)
    }
}

@Suite("One nonce a dialog, as chan_sip kept them")
struct SingleNonceBookTests {
    private let start = Instant(seconds: 1_000)
    private func book(_ settings: SingleNonceBook.Settings = .init()) -> SingleNonceBook {
        SingleNonceBook(settings: settings, entropy: Entropy(labSeed: 1))
    }

    @Test("Each unauthenticated request gets a new nonce of eight hexadecimal digits; only the newest is good")
    func newest() {
        var book = book()
        let first = book.issue(callID: bytes("c"), at: start)
        let second = book.issue(callID: bytes("c"), at: start)
        #expect(first.count == 8 && second.count == 8 && first != second)
        #expect(book.check(second[...], callID: bytes("c"), at: start) == .valid)
        #expect(book.check(first[...], callID: bytes("c"), at: start) == .superseded(newer: 1))
        #expect(book.check(second[...], callID: bytes("other"), at: start) == .foreign)
        #expect(book.check(bytes("zzzzzzzz"), callID: bytes("c"), at: start) == .foreign)
    }

    @Test("After a stale answer, version 1.4 makes yet another nonce, later versions repeat the newest")
    func rechallenge() {
        var old = book()
        let newest = old.issue(callID: bytes("c"), at: start)
        #expect(old.reissue(callID: bytes("c"), at: start) != newest)
        #expect(old.check(newest[...], callID: bytes("c"), at: start) == .superseded(newer: 1))
        var later = book(.init(rechallenge: .currentNonce))
        let current = later.issue(callID: bytes("c"), at: start)
        #expect(later.reissue(callID: bytes("c"), at: start) == current)
        #expect(later.check(current[...], callID: bytes("c"), at: start) == .valid)
    }

    @Test("A nonce is used up by a success, and then never repeated")
    func spent() {
        var book = book(.init(rechallenge: .currentNonce))
        let nonce = book.issue(callID: bytes("c"), at: start)
        book.spend(callID: bytes("c"))
        #expect(book.check(nonce[...], callID: bytes("c"), at: start) == .spent)
        #expect(book.reissue(callID: bytes("c"), at: start) != nonce)
    }

    @Test("A dialog is forgotten 32 s after its last challenge, and the one longest untouched when the book is full")
    func bounds() {
        var book = book(.init(cap: 2))
        let first = book.issue(callID: bytes("1"), at: start)
        let second = book.issue(callID: bytes("2"), at: start + .seconds(1))
        _ = book.issue(callID: bytes("3"), at: start + .seconds(2))
        #expect(book.count == 2)
        #expect(book.evicted == 1)
        #expect(book.check(first[...], callID: bytes("1"), at: start + .seconds(2)) == .foreign)
        #expect(book.check(second[...], callID: bytes("2"), at: start + .milliseconds(32_999)) == .valid)
        #expect(book.check(second[...], callID: bytes("2"), at: start + .seconds(33)) == .foreign)
        #expect(book.count == 1)
    }
}
