import Foundation
import TestSupport

/// Bad networks between any two parties.
extension Case {
    static let networks: [Case] =
        [
            Case("latency of 50 ms everywhere") { chaos in
                try await chaos.network(.latency(.milliseconds(50)), for: chaos.seconds(4, 30))
            },
            Case("slow drip to the database") { chaos in
                try await chaos.network(.drip(.milliseconds(2)), for: chaos.seconds(4, 30), [chaos.servers.database])
            },
            Case("slow drip from Discord") { chaos in
                try await chaos.network(.drip(.milliseconds(1)), for: chaos.seconds(4, 30), [chaos.rig.discordProxy])
            },
            Case("connections cut in the middle of a frame") { chaos in
                for _ in 0..<chaos.times(3, 12) {
                    let bytes = Int.random(in: 500...60_000, using: &chaos.random)
                    let all = [chaos.servers.broker, chaos.servers.database, chaos.rig.discordProxy]
                    let proxy = all.randomElement(using: &chaos.random)!
                    try await chaos.network(.cut(afterBytes: bytes), for: 2, [proxy])
                }
            },
            blackHole("fetch", "Discord", isLong: false) { $0.rig.discordProxy },
        ]
        + ["fetch", "parse", "store"].map { role in
            blackHole(role, "the broker", isLong: role != "parse") { $0.servers.broker }
        }
        + ["fetch", "store"].map { role in
            blackHole(role, "the database", isLong: true) { $0.servers.database }
        }

    /// Everything that one worker and one server say to each other is swallowed, until the worker has noticed.
    private static func blackHole(
        _ role: String,
        _ server: String,
        isLong: Bool,
        through proxy: @escaping @Sendable (Chaos) -> FaultProxy
    ) -> Case {
        Case("black hole between \(role) and \(server)", isLong: isLong) { chaos in
            let (proxy, rig) = (proxy(chaos), chaos.rig)
            let victim = server == "Discord" ? "" : "chaffinch \(role)"
            try await chaos.during {
                let before = proxy.givenUp
                let start = ContinuousClock.now
                proxy.set(.blackHole, on: victim)
                // Thirty seconds, and what a busy machine adds.
                try await eventually("\(role) gives \(server) up", within: .seconds(40)) { proxy.givenUp > before }
                chaos.remark = "noticed after \(Int((ContinuousClock.now - start).inSeconds)) s"
                try await rig.sleep(seconds: 2)
                proxy.set(.none)
            }
        }
    }
}

extension Chaos {
    fileprivate func network(
        _ fault: FaultProxy.Fault,
        for seconds: Double,
        _ proxies: [FaultProxy]? = nil
    ) async throws {
        let proxies = proxies ?? [servers.broker, servers.database, rig.discordProxy]
        try await during {
            for proxy in proxies { proxy.set(fault) }
            try await rig.sleep(seconds: seconds)
            for proxy in proxies { proxy.set(.none) }
        }
    }
}
