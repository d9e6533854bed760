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
                    let proxy = chaos.rig.proxies.randomElement(using: &chaos.random)!
                    try await chaos.network(.cut(afterBytes: bytes), for: 2, [proxy])
                }
            },
            Case("a bad network around a plugin and openai", Rig.Setting(asksOthers: true)) { chaos in
                let rig = chaos.rig
                let proxies = [chaos.servers.broker, chaos.servers.database, rig.openaiProxy!]
                for _ in 0..<chaos.times(1, 4) {
                    try await chaos.network(.latency(.milliseconds(50)), for: 2, proxies, asking: true)
                    try await chaos.network(.drip(.milliseconds(1)), for: 2, [rig.openaiProxy!], asking: true)
                    for proxy in proxies {
                        let bytes = Int.random(in: 500...5_000, using: &chaos.random)
                        try await chaos.network(.cut(afterBytes: bytes), for: 2, [proxy], asking: true)
                    }
                }
                guard try await rig.openai!.count("completions") > 0 else { throw TimedOut(what: "a question") }
            },
            blackHole(["fetch"], "Discord", isLong: false) { $0.rig.discordProxy },
        ]
        + ["fetch", "parse", "store"].map { role in
            blackHole([role], "the broker", isLong: role != "parse") { $0.servers.broker }
        }
        + ["fetch", "store"].map { role in
            blackHole([role], "the database", isLong: true) { $0.servers.database }
        } + [
            blackHole(["deadletter", "openai", "asker"], "the broker", Rig.Setting(asksOthers: true)) {
                $0.servers.broker
            },
            blackHole(["deadletter"], "the database", dead: 3) { $0.servers.database },
            blackHole(["openai"], "the database", Rig.Setting(asksOthers: true)) { $0.servers.database },
            // A server that thinks is as silent, so only packets that nobody acknowledges tell that it is gone.
            Case("black hole between openai and its server", Rig.Setting(asksOthers: true), isLong: true) { chaos in
                let (rig, proxy) = (chaos.rig, chaos.rig.openaiProxy!)
                try await chaos.during {
                    try await eventually("a question") {
                        try await rig.ask()
                        return try await rig.openai!.count("completions") > 0
                    }
                    let strikes = proxy.strikes
                    proxy.set(.lostPackets)
                    let start = ContinuousClock.now
                    try await eventually("openai gives its server up", within: .seconds(40)) {
                        try await rig.ask()
                        return rig.log.contains("a call brought no answer")
                    }
                    guard proxy.strikes > strikes else { throw TimedOut(what: "lost packets") }
                    chaos.remark = "noticed after \(Int((ContinuousClock.now - start).inSeconds)) s"
                    proxy.set(.none)
                }
            },
        ]

    /// Everything that some workers and one server say to each other is swallowed, until each worker has noticed.
    ///
    /// - Parameters:
    ///   - dead: so many messages are made to go to the dead letters meanwhile, so that deadletter has work.
    private static func blackHole(
        _ workers: [String],
        _ server: String,
        dead: Int = 0,
        _ setting: Rig.Setting = Rig.Setting(),
        isLong: Bool = true,
        through proxy: @escaping @Sendable (Chaos) -> FaultProxy
    ) -> Case {
        let name = workers.count == 1 ? workers[0] : workers.dropLast().joined(separator: ", ") + ", \(workers.last!)"
        return Case("black hole between \(name) and \(server)", dead: dead, setting, isLong: isLong) { chaos in
            let (proxy, rig) = (proxy(chaos), chaos.rig)
            // HTTP names nobody; there each proxy has one client.
            let isNamed = proxy === chaos.servers.broker || proxy === chaos.servers.database
            let victims = isNamed ? workers.map { "chaffinch \($0)" } : []
            try await chaos.during {
                if dead > 0 { try await rig.refuse() }
                proxy.set(.blackHole, on: victims)
                let start = ContinuousClock.now
                for number in 0..<dead {
                    try await rig.post(#"$BTC long\nEntry: 68000\nSL: 67000\nREFUSED \#(number)"#)
                }
                for victim in isNamed ? victims : [""] {
                    // Thirty seconds, and what a busy machine adds.
                    try await eventually("\(victim) gives \(server) up", within: .seconds(40)) {
                        if rig.openai != nil { try await rig.ask() }
                        return proxy.givenUp(by: victim) > 0
                    }
                }
                chaos.remark = "noticed after \(Int((ContinuousClock.now - start).inSeconds)) s"
                try await rig.sleep(seconds: 2)
                proxy.set(.none)
            }
        }
    }
}

extension Rig {
    /// From now on the database takes no message with this word.
    fileprivate func refuse() async throws {
        try await alter("alter table messages add constraint refused check (content not like '%REFUSED%')")
    }
}

extension Chaos {
    /// - Parameter isAsking: whether openai gets something to ask meanwhile.
    fileprivate func network(
        _ fault: FaultProxy.Fault,
        for seconds: Double,
        _ proxies: [FaultProxy]? = nil,
        asking isAsking: Bool = false
    ) async throws {
        let proxies = proxies ?? rig.proxies
        try await during {
            let before = proxies.map(\.strikes)
            for proxy in proxies { proxy.set(fault) }
            let end = ContinuousClock.now + .seconds(seconds)
            while .now < end {
                if isAsking { try await rig.ask() }
                try await rig.sleep(seconds: 0.2)
            }
            try await eventually("\(fault) befalls everybody") {
                if isAsking { try await rig.ask() }
                return zip(proxies, before).allSatisfy { $0.strikes > $1 }
            }
            for proxy in proxies { proxy.set(.none) }
        }
    }
}
