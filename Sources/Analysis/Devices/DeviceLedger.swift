import Base

/// The devices and programs that headers and prose name.
struct DeviceLedger: Sendable {
    static let most = 64

    private(set) var routers: [(device: RouterDevice, place: EvidencePlace)] = []

    /// Text around a log. A device named again keeps its first place.
    mutating func prose(_ text: String, _ place: EvidencePlace) {
        for device in RouterDevice.named(in: text) where routers.count < Self.most {
            if !routers.contains(where: { $0.device == device }) { routers.append((device, place)) }
        }
        // A model makes its family superfluous.
        if routers.contains(where: { $0.device.name == "SpeedTouch 780" || $0.device.name == "SpeedTouch 510/530" }) {
            routers.removeAll { $0.device.name == "SpeedTouch" }
        }
    }

    /// Phones, servers and, where a router speaks SIP itself, routers, by what they write of themselves.
    func recognised(_ programs: ProgramTable) -> [RecognisedDevice] {
        var result = routers.map {
            RecognisedDevice(role: .router, name: $0.device.name, place: $0.place, remedy: $0.device.remedy)
        }
        for program in programs.list.dropFirst() where result.count < Self.most {
            let isKnown = result.contains { $0.name == program.name }
            if !isKnown {
                result.append(
                    RecognisedDevice(role: program.isServer ? .server : .phone, name: program.name, place: program.place))
            }
        }
        return result
    }

    /// Routers that speak SIP themselves, as a Fritz!Box does, name themselves in User-Agent: their helper is theirs to answer for.
    func routers(_ programs: ProgramTable) -> [RouterDevice] {
        var result = routers.map(\.device)
        for program in programs.list.dropFirst() {
            for device in RouterDevice.named(in: program.name) where !result.contains(device) { result.append(device) }
        }
        return result
    }
}
