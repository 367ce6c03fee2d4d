import LabCommand

/// The lab alone: what a newcomer builds first.
@main
enum PinholeLab {
    static func main() async { await LabProgram.main() }
}
