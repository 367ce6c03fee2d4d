import Base
import STUN
import STUNStack
import Testing

@Suite struct STUNClientRequestTests {
    static let local = Endpoint(.v4(IPv4Address(192, 168, 1, 64)), 5060)
    static let server = Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 3478)
    static let start = Instant(seconds: 1000)

    private func request(
        _ schedule: STUNSchedule = .rfc8489(), sources: STUNClientRequest.Sources = .server, key: STUNKey? = nil
    ) -> STUNClientRequest {
        var entropy = Entropy(labSeed: 9)
        let writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
        return STUNClientRequest(
            writer, from: Self.local, to: Self.server, schedule: schedule, sources: sources, key: key, at: Self.start)
    }

    /// Lets time pass deadline by deadline; returns when (ms after the start) it sent, and when and how it ended.
    private func run(_ request: inout STUNClientRequest) -> (sends: [Int64], end: Int64?, outcome: STUNOutcome?) {
        var sends: [Int64] = []
        var now = Self.start
        while true {
            while let output = request.nextOutput() {
                let at = (now - Self.start).wholeMilliseconds
                switch output {
                case .send(let datagram):
                    #expect(datagram.source == Self.local && datagram.destination == Self.server)
                    sends.append(at)
                case .finished(let outcome): return (sends, at, outcome)
                }
            }
            guard let next = request.nextDeadline else { return (sends, nil, nil) }
            now = next
            request.advance(to: now)
        }
    }

    @Test("RFC 8489 6.2.1: seven sends at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, gives up at 39.5 s")
    func schedule() {
        var request = request()
        let (sends, end, outcome) = run(&request)
        #expect(sends == [0, 500, 1500, 3500, 7500, 15500, 31500])
        #expect(end == 39500)
        #expect(outcome == .timedOut)
        #expect(request.nextDeadline == nil && request.isFinished)
    }

    @Test("RFC 3489 9.3: nine sends, 100 ms doubling to 1.6 s, gives up at 9.5 s")
    func classicSchedule() {
        var request = request(.rfc3489)
        let (sends, end, outcome) = run(&request)
        #expect(sends == [0, 100, 300, 700, 1500, 3100, 4700, 6300, 7900])
        #expect(end == 9500)
        #expect(outcome == .timedOut)
    }

    @Test("an early advance does nothing, a late one sends once, not a burst")
    func lateAndEarly() {
        var request = request()
        _ = request.nextOutput()
        request.advance(to: Self.start + .milliseconds(499))
        #expect(request.nextOutput() == nil)
        request.advance(to: Self.start + .seconds(20))
        #expect(request.nextOutput() != nil)
        #expect(request.nextOutput() == nil)
        #expect(request.nextDeadline == Self.start + .seconds(21))
    }

    private func answer(
        _ request: STUNClientRequest, _ attributes: [STUNAttribute], type: STUNMessageType = .bindingSuccess,
        from: Endpoint = server, key: STUNKey? = nil
    ) -> Datagram {
        var writer = STUNWriter(type, request.transactionID, attributes)
        if let key { writer.addIntegrity(key) }
        return Datagram(from: from, to: Self.local, writer.bytes)
    }

    private func outcome(_ request: inout STUNClientRequest, of datagram: Datagram) -> STUNOutcome? {
        request.receive(.received(datagram), at: Self.start + .milliseconds(20))
        while let output = request.nextOutput() {
            if case .finished(let outcome) = output { return outcome }
        }
        return nil
    }

    @Test("a success response ends it with the mapped endpoint, and nothing is sent after")
    func success() throws {
        var request = request()
        let mapped = try #require(Endpoint("203.0.113.5:52899"))
        guard case .success(let response)? = outcome(&request, of: answer(request, [.xorMappedAddress(mapped)])) else {
            Issue.record("no success")
            return
        }
        #expect(response.message.reflexiveEndpoint == mapped)
        #expect(response.source == Self.server)
        #expect(request.nextDeadline == nil)
        request.advance(to: Self.start + .seconds(100))
        #expect(request.nextOutput() == nil)
    }

    @Test("RFC 8489 6.3.4: an error response ends it with its code")
    func refusal() {
        var request = request()
        let datagram = answer(request, [.errorCode(.unknownAttribute)], type: .bindingError)
        guard case .error(let code, _)? = outcome(&request, of: datagram) else {
            Issue.record("no error")
            return
        }
        #expect(code == .unknownAttribute)
    }

    @Test("RFC 8489 6.3.3: an unknown comprehension-required attribute in the answer fails the transaction")
    func notUnderstood() throws {
        var request = request()
        let strange = STUNAttributeType(rawValue: 0x7abc)
        guard case .notUnderstood(let types, _)? = outcome(&request, of: answer(request, [.unknown(strange, [])])) else {
            Issue.record("understood")
            return
        }
        #expect(types == [strange])
    }

    @Test("wrong transaction ID, wrong source, wrong method and wrong fingerprint are left alone")
    func strangers() throws {
        var request = request()
        let mapped = try #require(Endpoint("203.0.113.5:52899"))
        var entropy = Entropy(labSeed: 77)
        let other = STUNWriter(.bindingSuccess, STUNTransactionID(from: &entropy), [.xorMappedAddress(mapped)])
        #expect(outcome(&request, of: Datagram(from: Self.server, to: Self.local, other.bytes)) == nil)
        let elsewhere = Endpoint(Self.server.address, 3479)
        #expect(outcome(&request, of: answer(request, [.xorMappedAddress(mapped)], from: elsewhere)) == nil)
        #expect(outcome(&request, of: answer(request, [], type: STUNMessageType(.success, method: 3))) == nil)
        #expect(outcome(&request, of: answer(request, [.xorMappedAddress(mapped), .fingerprint(1)])) == nil)
        #expect(outcome(&request, of: answer(request, [], type: .bindingRequest)) == nil)
        #expect(outcome(&request, of: Datagram(from: Self.server, to: Self.local, [1, 2, 3])) == nil)
        var ignored: [STUNClientRequest.Ignored] = []
        while let trace = request.nextTrace() { if case .ignored(let why, _) = trace { ignored.append(why) } }
        #expect(ignored == [.otherSource, .otherMethod, .wrongFingerprint])
        #expect(outcome(&request, of: answer(request, [.xorMappedAddress(mapped)])) != nil)
    }

    @Test("with CHANGE-REQUEST an answer from anywhere is believed")
    func anySource() {
        var request = request(sources: .any)
        let datagram = answer(request, [], from: Endpoint(.v4(IPv4Address(198, 51, 100, 2)), 3479))
        #expect(outcome(&request, of: datagram) != nil)
    }

    @Test("RFC 8489 9.1.4: with a key only a sealed answer is believed; 401 needs no seal")
    func sealed() {
        let key = STUNKey.shortTerm(password: "secret")
        var request = request(key: key)
        #expect(outcome(&request, of: answer(request, [])) == nil)
        #expect(outcome(&request, of: answer(request, [], key: .shortTerm(password: "wrong"))) == nil)
        var other = request
        #expect(outcome(&other, of: answer(request, [.errorCode(.unauthenticated)], type: .bindingError)) != nil)
        #expect(outcome(&request, of: answer(request, [], key: key)) != nil)
    }

    @Test("ICMP and cancellation end it")
    func otherEnds() {
        var request = request()
        var other = request
        request.receive(.unreachable, at: Self.start)
        other.receive(.cancel, at: Self.start)
        _ = request.nextOutput()
        _ = other.nextOutput()
        #expect(request.nextOutput() == .finished(.unreachable))
        #expect(other.nextOutput() == .finished(.cancelled))
    }
}
