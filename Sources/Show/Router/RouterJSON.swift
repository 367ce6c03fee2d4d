import ALG
import Base
public import RouterNode
public import ShowText

/// A router's snapshot for machines: one object, which `text` writes on one line. Times are milliseconds; `at` since the Unix epoch.
public struct RouterJSON: Sendable {
    public var snapshot: RouterSnapshot

    public init(_ snapshot: RouterSnapshot) { self.snapshot = snapshot }

    public var value: JSONValue {
        .object([
            ("router", .string(snapshot.name)), ("at", .integer(Int(snapshot.at.nanoseconds / 1_000_000))),
            ("up", .bool(snapshot.isUp)), ("alg", alg), ("interfaces", interfaces), ("nat", nat),
            ("mappings", .array(snapshot.mappings.map(mapping))), ("pinholes", .array(snapshot.pinholes.map(pinhole))),
            ("drops", drops),
        ])
    }

    private var alg: JSONValue {
        let done = snapshot.alg
        return .object([
            ("on", .bool(snapshot.isALGOn)), ("profile", .string(snapshot.profile)),
            ("ports", .array(snapshot.configuration.sipPorts.map { .string($0.text) })),
            ("messagesOut", number(done.outboundMessages)), ("messagesIn", number(done.inboundMessages)),
            ("rewritten", number(done.rewriteCount)), ("dropped", number(done.dropCount)), ("held", number(done.held)),
            ("redirected", number(done.redirected)), ("split", number(done.splitMessages)),
            ("pinholesOpened", number(done.pinholesOpened)), ("pinholesUsed", number(done.pinholesUsed)),
            ("portsMoved", number(done.portsMoved)), ("evicted", number(done.evicted)),
            (
                "fields",
                .array(
                    done.rewrites.map { field, direction, count in
                        .object([
                            ("field", .string(field.title)), ("direction", .string(name(direction))),
                            ("count", number(count.count)),
                        ])
                    })
            ),
            ("rewrites", .array(done.recent.map(rewrite))),
        ])
    }

    private func rewrite(_ done: ALGStatistics.Rewritten) -> JSONValue {
        .object([
            ("ago", milliseconds(snapshot.at - done.at)), ("field", .string(done.rewrite.field.title)),
            ("direction", .string(name(done.direction))), ("inside", .string("\(done.flow.inside)")),
            ("mapped", .string("\(done.flow.mapped)")), ("remote", .string("\(done.flow.remote)")),
            ("before", .string(done.rewrite.before)), ("after", .string(done.rewrite.after)),
        ])
    }

    private var interfaces: JSONValue {
        .object(
            [(RouterInterface.lan, snapshot.lan), (.wan, snapshot.wan)].map { interface, address in
                let side = snapshot.statistics[interface]
                return (
                    interface.name,
                    .object([
                        ("address", .string("\(address)")), ("packetsIn", number(side.packetsIn)),
                        ("octetsIn", number(side.octetsIn)), ("packetsOut", number(side.packetsOut)),
                        ("octetsOut", number(side.octetsOut)), ("dropped", number(side.dropped)),
                        ("errorsWithheld", number(side.errorsWithheld)),
                    ])
                )
            })
    }

    private var nat: JSONValue {
        let nat = snapshot.nat
        return .object([
            ("outbound", number(nat.outbound)), ("inbound", number(nat.inbound)), ("hairpinned", number(nat.hairpinned)),
            ("dropped", number(nat.dropped)), ("created", number(nat.created)), ("expired", number(nat.expired)),
            ("evicted", number(nat.evicted)), ("refused", number(nat.refused)),
        ])
    }

    private func mapping(_ row: RouterSnapshot.Mapping) -> JSONValue {
        .object([
            ("proto", .string("\(row.mapping.proto)")), ("inside", .string("\(row.mapping.internal)")),
            ("outside", .string("\(row.mapping.external)")),
            ("towards", row.mapping.remote.map { .string("\($0)") } ?? .null), ("age", milliseconds(row.age)),
            ("idle", milliseconds(row.mapping.idle)), ("left", milliseconds(row.idleLeft)), ("keptBy", .string(row.keeper.text)),
            ("sinceRefresh", milliseconds(row.sinceRefresh)), ("state", row.mapping.tcp.map { .string("\($0)") } ?? .null),
        ])
    }

    private func pinhole(_ pinhole: ALGPinhole) -> JSONValue {
        .object([
            ("purpose", .string("\(pinhole.purpose)")), ("inside", .string("\(pinhole.inside)")),
            ("outside", .string("\(pinhole.external)")), ("from", pinhole.from.map { .string("\($0)") } ?? .null),
            ("left", milliseconds(pinhole.until - snapshot.at)), ("open", .bool(pinhole.isActive)),
        ])
    }

    private var drops: JSONValue {
        .array(
            snapshot.statistics.drops.map { drop in
                .object([
                    ("interface", .string(drop.interface.name)), ("reason", .string(drop.reason.text)),
                    ("count", number(drop.count)),
                    ("ago", milliseconds(snapshot.at - drop.lastAt)),
                ])
            })
    }

    private func name(_ direction: ALGDirection) -> String { direction == .outbound ? "out" : "in" }

    private func number(_ count: UInt64) -> JSONValue { .integer(Int(clamping: count)) }

    private func milliseconds(_ duration: Duration) -> JSONValue { .integer(Int(duration.wholeMilliseconds)) }
}
