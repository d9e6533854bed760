import Foundation
import Synchronization
import TestSupport

extension Case {
    static let kills: [Case] = [
        Case("fetch killed between confirm and cursor") { chaos in
            try await chaos.killing("fetch", through: chaos.servers.database) { _, text in
                text.contains("UPDATE fetch_cursors SET contiguous_id")
            }
        },
        Case("fetch killed as it publishes") { chaos in
            let channels = chaos.rig.channels.count
            let publishing = Mutex<(first: Int?, frames: Int)>((nil, 0))
            try await chaos.killing("fetch", through: chaos.servers.broker) { connection, text in
                guard connection.opening.contains("fetch/1 publish") else { return false }
                // With little history all of it may be published before anybody looks.
                if text.contains("a message for round") { return true }
                // basic.publish is method 40 of class 60.
                let frames = text.ranges(of: "\u{0}\u{3C}\u{0}\u{28}").count
                guard frames > 0 else { return false }
                // The first page of each channel is its newest, for which no cursor moves.
                return publishing.withLock { publishing in
                    publishing.frames += frames
                    if publishing.first == nil { publishing.first = connection.number }
                    return connection.number != publishing.first || publishing.frames > channels
                }
            }
        },
        Case("parse killed between confirm and acknowledge") { chaos in
            try await chaos.killing("parse", through: chaos.servers.broker) { connection, text in
                // basic.ack is method 80 of class 60.
                connection.opening.contains("parse/1 consume") && text.contains("\u{0}\u{3C}\u{0}\u{50}")
            }
        },
        Case("store killed before COMMIT") { chaos in
            let writers = Mutex<Set<Int>>([])
            try await chaos.killing("store", through: chaos.servers.database) { connection, text in
                if text.contains("INTO \"messages\"") { writers.withLock { _ = $0.insert(connection.number) } }
                return writers.withLock { $0.contains(connection.number) } && text.contains("COMMIT")
            }
        },
        Case("store killed between COMMIT and acknowledge") { chaos in
            try await chaos.killing("store", through: chaos.servers.broker) { connection, text in
                connection.opening.contains("store/1 consume") && text.contains("\u{0}\u{3C}\u{0}\u{50}")
            }
        },
        Case("a random worker killed every 2 s", .restartingAtOnce) { chaos in
            let rig = chaos.rig
            try rig.start()
            _ = try await rig.running("fetch")
            let end = ContinuousClock.now + .seconds(chaos.killSeconds)
            var kills = 0
            try await rig.feeding {
                while .now < end {
                    if try await rig.killRandomWorker(&chaos.random) { kills += 1 }
                    try await rig.sleep(seconds: 2)
                }
            }
            guard kills >= chaos.killSeconds / 4 else { throw TimedOut(what: "kills; only \(kills) happened") }
            chaos.remark = "\(kills) kills"
        },
    ]
}

extension Chaos {
    /// Kills a worker at the moment it sends something, which then never arrives; several times.
    func killing(
        _ worker: String,
        through proxy: FaultProxy,
        when isMoment: @escaping @Sendable (FaultProxy.Connection, String) -> Bool
    ) async throws {
        let rig = rig
        try rig.start()
        var old: Int32?
        for round in 0..<times(2, 6) {
            let victim = try await rig.running(worker, otherThan: old)
            let killed = Mutex(false)
            proxy.watch { connection, bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                guard isMoment(connection, text) else { return true }
                let first = killed.withLock { done in
                    defer { done = true }
                    return !done
                }
                guard first else { return true }
                kill(victim, SIGKILL)
                return false
            }
            try await rig.post("a message for round \(round)")
            try await eventually("\(worker) met its end") { killed.withLock { $0 } }
            old = victim
        }
        proxy.watch(nil)
    }
}

extension Rig {
    /// Ends a worker without warning.
    ///
    /// - Returns: false where none runs.
    @discardableResult
    func killRandomWorker(_ random: inout SplitMix64) async throws -> Bool {
        let victims = try await workers().filter { ["fetch", "parse", "store", "deadletter"].contains($0.name) }
        guard let victim = victims.compactMap(\.pid).randomElement(using: &random) else { return false }
        return kill(victim, SIGKILL) == 0
    }
}
