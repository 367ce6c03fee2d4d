import Base
import Fixtures
import Lab
import NAT
import ShowLab
import ShowText
import Testing

@Suite struct StoryReportTests {
    private static let chapters = Story().play()

    @Test("the story shows its ports, the stale answer, the panel's words and the cure, within its width", arguments: [80, 110])
    func story(width: Int) throws {
        let text = StoryReport(Self.chapters).text(ReportStyle(isUnicode: true, width: width))
        for piece in ["52899", "52896", "Authorization error", "stale", "Act 3", "SIP_ALG=disabled", "Registered"] {
            #expect(text.contains(piece), "\(piece)")
        }
        for line in text.split(separator: "\n") { #expect(displayWidth(String(line)) <= width, "\(line)") }
    }

    @Test("the same run gives the same text, and colours change nothing else")
    func stable() {
        let again = Story().play()
        #expect(StoryReport(again).text() == StoryReport(Self.chapters).text())
        let coloured = StoryReport(Self.chapters).text(ReportStyle(isColoured: true, isUnicode: false))
        #expect(withoutColours(coloured) == StoryReport(Self.chapters).text())
    }

    @Test("the debug view shows the server's messages and explains each")
    func messages() {
        var options = StoryReport.Options()
        options.showsMessages = true
        options.showsLadder = false
        let text = StoryReport([Self.chapters[0]], options).text()
        #expect(text.contains("<--- SIP read from UDP:192.0.2.80:52899 --->"))
        #expect(text.contains("<--- Transmitting (NAT) to 192.0.2.80:52899 --->"))
        #expect(text.contains("Correct auth, but based on stale nonce received from"))
        #expect(text.contains("=> answers challenge 1 of 2"))
    }

    @Test("the ladder leads the first REGISTER from the phone by the router to the server, and back")
    func ladder() throws {
        let chapter = Self.chapters[0]
        let ladder = LabLadder(chapter.records, of: chapter.world, from: chapter.start).ladder
        #expect(ladder.participants.prefix(3) == ["phone", "router", "server"])
        let arrows = ladder.events.compactMap { event -> String? in
            if case .arrow(let from, let to, let label) = event.kind, !label.hasPrefix("STUN") {
                "\(from)\(to) \(label)"
            } else {
                nil
            }
        }
        #expect(arrows.first == "01 REGISTER 1")
        #expect(arrows.contains("12 REGISTER 1 :52899"))
        #expect(arrows.contains("21 401 :52899"))
        #expect(arrows.contains("12 REGISTER 2 :52896"))
        let times = ladder.events.map(\.at)
        #expect(times == times.sorted())
    }

    @Test("events beyond the cap are counted, not drawn")
    func cap() {
        let chapter = Self.chapters[0]
        var options = LabLadder.Options()
        options.mostEvents = 5
        let ladder = LabLadder(chapter.records, of: chapter.world, from: chapter.start, options)
        #expect(ladder.ladder.events.count == 5 && ladder.omitted > 0)
        #expect(ladder.text().contains("\(ladder.omitted) more events follow."))
    }
}

@Suite struct MatrixReportTests {
    private static let matrix = Matrix(length: .seconds(3600))

    /// Results made up for the shape alone.
    private static func results(_ change: (Int, inout MatrixResult) -> Void = { _, _ in }) -> [MatrixResult] {
        let template = matrix.run(MatrixCell.all[0])
        return MatrixCell.all.enumerated().map { index, cell in
            var result = template
            result.cell = cell
            result.isRegistered = true
            result.isFlapping = false
            result.reach = result.reach.map {
                var reach = $0
                reach.isReached = true
                return reach
            }
            result.reason = "it works"
            result.audio = result.cell.server == .pinhole ? .bothWays : .noCalls
            change(index, &result)
            return result
        }
    }

    @Test("sixteen rows of eighteen cells, a legend that counts, and each reason once")
    func table() {
        let results = Self.results { index, result in
            if index < 100 {
                result.isRegistered = false
                result.reason = "port \(index) is closed"
            } else if index < 110 {
                result.isFlapping = true
            } else if index < 130 {
                result.reach[0].isReached = false
            } else if index < 133 {
                result.reach = result.reach.map {
                    var reach = $0
                    reach.isReached = false
                    return reach
                }
            }
        }
        let text = MatrixReport(Self.matrix, results).text(ReportStyle(isUnicode: false, width: 80))
        let lines = text.split(separator: "\n").map(String.init)
        let rows = lines.filter { $0.hasPrefix("on ") || $0.hasPrefix("off") }
        #expect(rows.count == 16)
        #expect(rows[0] == "off   off  off  chan_sip  XbXb XbXb XbXb  XbXb XbXb XbXb  XbXb XbXb XbXb      -")
        #expect(rows[15] == "on    on   on   pinhole   #a#a #a#a #a#a  #a#a #a#a #a#a  #a#a #a#a #a#a  18/18")
        #expect(text.contains("X   100  not registered"))
        #expect(text.contains("~    10  registers again"))
        #expect(text.contains("+    20  registered; an inbound request arrives after some"))
        #expect(text.contains("o     3  registered, but no inbound"))
        #expect(text.contains("#   155  registered; an inbound request arrives after every"))
        #expect(lines.contains("a   188  it works") && lines.contains("b   100  port 0 is closed"))
        for line in lines { #expect(displayWidth(line) <= 80, "\(line)") }
    }

    @Test("a row counts its calls with audio both ways; what silences the others is told once with its count")
    func audio() {
        let results = Self.results { index, result in
            guard result.cell.server == .pinhole else { return }
            if index >= 18, index < 24 { result.audio = .broken(because: "lost at port \(index)") }
            if index == 24 { result.audio = .notAnswered(because: "refused: 403 Forbidden") }
        }
        let text = MatrixReport(Self.matrix, results).text(ReportStyle(isUnicode: false, width: 80))
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.first { $0.hasPrefix("off") && $0.contains("pinhole") }?.hasSuffix("  11/18") == true)
        #expect(lines.contains("      6  silence: lost at port 18") && lines.contains("      1  no call: refused: 403 Forbidden"))
        #expect(text.contains("137 of 144"))
    }

    @Test("JSON is an object with an array of 288 cells whose keys keep their order")
    func json() {
        let text = MatrixReport(Self.matrix, Self.results()).json.text
        #expect(
            text.hasPrefix(
                #"{"seed":2007,"phone":"seed","alg":"speedtouch-780","seconds":3600,"cells":[{"stun":false,"alg":false,"#))
        #expect(
            text.contains(#""mapping":"endpoint-independent","filtering":"endpoint-independent","udpTimer":30,"registered":true"#)
        )
        #expect(text.contains(#""reachable":{"30":true,"120":true,"600":true},"flapping":false"#))
        #expect(text.components(separatedBy: #""audio":"both ways""#) == 145)
        #expect(text.components(separatedBy: #""reason":"it works""#) == 289)
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> Int {
        split(separator: separator, omittingEmptySubsequences: false).count
    }
}
