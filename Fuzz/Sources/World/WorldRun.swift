import Base
import ServerNode

/// A script played from its beginning to an end at which nothing may be left.
package struct WorldRun: Sendable {
    /// FNV-1a over every packet that was sent: the same script gives the same.
    package let transcript: UInt64
    package let packets: Int
    /// What the reference model found to be wrong; empty: nothing.
    package let violations: [String]
    /// How many steps were made; the end is made only where no step went wrong.
    package let steps: Int
    /// Of the server's last life.
    package let counters: ServerCounters
    /// What was done, and what the server saw, said and thought; empty unless asked for.
    package let story: [String]

    package init(_ script: Script, flaw: ReferenceModel.Flaw? = nil, isTold: Bool = false) {
        var world = FuzzWorld(script.variant, flaw: flaw)
        if isTold { world.story = [] }
        var steps = 0
        for step in script.steps where world.violations.isEmpty {
            world.perform(step.transition)
            steps += 1
        }
        if world.violations.isEmpty { world.end() }
        transcript = world.transcript
        packets = world.packets
        violations = world.violations
        self.steps = steps
        counters = world.server.counters
        story = world.story ?? []
    }
}

/// Plays any bytes; traps where the world is not as it should be.
package func exerciseWorld(_ bytes: [UInt8]) {
    let script = Script(bytes)
    let run = WorldRun(script)
    guard run.violations.isEmpty else {
        fatalError((run.violations + [script.text]).joined(separator: "\n"))
    }
}
