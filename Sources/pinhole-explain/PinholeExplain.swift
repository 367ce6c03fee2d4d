import ExplainCommand

/// `explain` alone: no server, no database, no cryptography library; quick to build and to start.
@main
enum PinholeExplain {
    static func main() { ExplainProgram.main() }
}
