import Demo

/// The demo alone: what a newcomer builds first.
@main
enum PinholeDemo {
    static func main() async { await DemoProgram.main(Array(CommandLine.arguments.dropFirst())) }
}
