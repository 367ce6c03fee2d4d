import Base
import Streams
import Testing

@Suite("Room for connections")
struct ConnectionRoomTests {
    static let start = ContinuousClock.now

    /// A room whose connections come from addresses by name, numbered from 1.
    struct House {
        var room: ConnectionRoom
        var now = ConnectionRoomTests.start
        var last: UInt64 = 0

        init(_ room: Int, perSource: Int = 1_000) { self.room = ConnectionRoom(room: room, perSource: perSource) }

        mutating func come(_ address: String) -> ConnectionRoom.Admission {
            last += 1
            let remote = Endpoint(IPAddress(address)!, UInt16(last))
            let flow = FlowID(.tcp, local: Endpoint("198.51.100.1:5060")!, remote: remote, connection: last)
            return room.admit(last, flow, at: now)
        }

        mutating func prove(_ number: UInt64, isAccount: Bool = true) { room.prove(number, isAccount: isAccount, at: now) }
    }

    @Test("Strangers have half of the room: the oldest of them gives way to the next")
    func strangers() {
        var house = House(4)
        #expect(house.come("192.0.2.1") == .admitted(givingWay: nil))
        #expect(house.come("192.0.2.2") == .admitted(givingWay: nil))
        #expect(house.come("192.0.2.3") == .admitted(givingWay: 1))
        #expect(house.come("192.0.2.4") == .admitted(givingWay: 2))
        #expect(house.room.count == 2)
    }

    @Test("What proved itself stays and is no stranger; strangers are refused only where all of the room is proved")
    func proved() {
        var house = House(4)
        for number in 1...4 {
            #expect(house.come("192.0.2.\(number)") == .admitted(givingWay: nil))
            house.prove(UInt64(number))
        }
        #expect(house.come("192.0.2.9") == .full)
        house.room.leave(2)
        #expect(house.come("192.0.2.9") == .admitted(givingWay: nil))
        #expect(house.come("192.0.2.10") == .admitted(givingWay: 6))
    }

    @Test("A source where an account was proved is no stranger for 30 days: the kept half is its own, and strangers give way")
    func known() {
        var house = House(4)
        _ = house.come("192.0.2.1")
        house.prove(1)
        _ = house.come("192.0.2.2")
        _ = house.come("192.0.2.3")
        #expect(house.come("192.0.2.1") == .admitted(givingWay: nil))
        // The room is full now: strangers give way to it first, then what else it has that proved nothing.
        #expect(house.come("192.0.2.1") == .admitted(givingWay: 2))
        #expect(house.come("192.0.2.1") == .admitted(givingWay: 3))
        #expect(house.come("192.0.2.1") == .admitted(givingWay: 4))
        #expect(house.come("192.0.2.9") == .full)
        house.room.leave(5)
        house.room.leave(6)
        house.room.leave(7)
        #expect(house.come("192.0.2.9") == .admitted(givingWay: nil))
        #expect(house.come("192.0.2.8") == .admitted(givingWay: nil))
        house.now += ConnectionRoom.knownFor
        #expect(house.come("192.0.2.1") == .admitted(givingWay: 9))
    }

    @Test("A call of a stranger keeps its connection, and makes its source no known one")
    func strangersCall() {
        var house = House(4)
        _ = house.come("192.0.2.1")
        house.prove(1, isAccount: false)
        _ = house.come("192.0.2.1")
        _ = house.come("192.0.2.1")
        #expect(house.come("192.0.2.1") == .admitted(givingWay: 2))
    }

    @Test(
        "One source has its cap: an IPv4 address, a /64, and four times as many a /56",
        arguments: [
            (["192.0.2.1", "192.0.2.1", "192.0.2.1"], 1),
            (["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"], 1),
            (["192.0.2.1", "192.0.2.1", "192.0.2.2"], nil),
            (["2001:db8::1", "2001:db8::2", "2001:db8::3:3"], 1),
            (["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"], nil),
            ((0...8).map { "2001:db8:0:\($0 / 2)::\($0 + 1)" }, 1),
            ((0...8).map { "2001:db8:0:\($0 / 2)00::\($0 + 1)" }, nil),
        ] as [([String], UInt64?)])
    func sources(addresses: [String], givingWay: UInt64?) {
        var house = House(1_000, perSource: 2)
        let admissions = addresses.map { house.come($0) }
        #expect(admissions.dropLast().allSatisfy { $0 == .admitted(givingWay: nil) })
        #expect(admissions.last == .admitted(givingWay: givingWay))
    }

    @Test("A source all of whose connections proved themselves gets no more, and others are not concerned")
    func sourceFull() {
        var house = House(1_000, perSource: 2)
        for number in 1...2 {
            _ = house.come("2001:db8::1")
            house.prove(UInt64(number))
        }
        #expect(house.come("2001:db8::2") == .sourceFull)
        #expect(house.come("2001:db8:0:1::2") == .admitted(givingWay: nil))
        house.room.leave(1)
        #expect(house.come("2001:db8::2") == .admitted(givingWay: nil))
    }

    @Test("Where the system has no room, the oldest that proved nothing goes, strangers first")
    func makingRoom() {
        var house = House(100)
        _ = house.come("192.0.2.1")
        house.prove(1)
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] { _ = house.come(address) }
        #expect((0..<4).map { _ in house.room.makeRoom() } == [3, 4, 2, nil])
        #expect(house.room.count == 1)
    }

    @Test("Nothing is left of connections that came and went in any order")
    func bounded() {
        var house = House(64, perSource: 8)
        for round in 0..<2_000 {
            _ = house.come("192.0.2.\(round % 40)")
            if round % 3 == 0 { house.prove(house.last) }
            if round >= 20 { house.room.leave(UInt64(round - 20 + 1)) }
            #expect(house.room.count <= 64)
        }
        for number in 1...house.last { house.room.leave(number) }
        #expect(house.room.count == 0)
        #expect(house.room.makeRoom() == nil)
        #expect(house.come("203.0.113.1") == .admitted(givingWay: nil))
    }
}
