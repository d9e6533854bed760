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
        Case("a random worker killed every 2 s") { chaos in
            let rig = chaos.rig
            try rig.start()
            _ = try await rig.running("fetch")
            var random = chaos.random
            let kills = chaos.times(8, 300)
            try await rig.feeding {
                for _ in 0..<kills {
                    let victims = try await rig.workers().filter {
                        ["fetch", "parse", "store", "deadletter"].contains($0.name)
                    }.compactMap(\.pid)
                    if let victim = victims.randomElement(using: &random) { kill(victim, SIGKILL) }
                    try await rig.sleep(seconds: 2)
                }
            }
        },
        Case("supervisor killed, then started") { chaos in
            let rig = chaos.rig
            try rig.start()
            for _ in 0..<chaos.times(2, 5) {
                _ = try await rig.running("fetch")
                try await rig.feeding { try await rig.sleep(seconds: 0.5) }
                let pids = try await rig.workers().compactMap(\.pid)
                rig.supervisor?.send(SIGKILL)
                await rig.supervisor?.exitCode()
                try await eventually("no orphan is left", within: .seconds(30)) {
                    pids.allSatisfy { kill($0, 0) != 0 }
                }
                try rig.start()
            }
        },
        Case("stopped and started under load") { chaos in
            let rig = chaos.rig
            var random = chaos.random
            for _ in 0..<chaos.times(4, 20) {
                try rig.start()
                _ = try await rig.running("setup")
                let seconds = Double.random(in: 0.2...3, using: &random)
                try await rig.feeding { try await rig.sleep(seconds: seconds) }
                try await rig.stop()
            }
            try rig.start()
        },
        Case("two supervisors") { chaos in
            let rig = chaos.rig
            let other = try TemporaryFolder()
            try rig.writePipeline(to: other)
            try rig.start()
            let second = try rig.launch(in: other, rig.environment, "second")
            try await rig.feeding {
                try await rig.sleep(seconds: 4)
                if let fetch = try await rig.pid(of: "fetch") { kill(fetch, SIGKILL) }
                try await rig.sleep(seconds: 2)
            }
            await second.stop()
        },
        Case("everything delivered a second time", extra: "workers: { store: { replicas: 4 } }") { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(500)
            for _ in 0..<2 {
                try await rig.stop()
                _ = try await RunningProgram.run(
                    "/usr/bin/psql",
                    ["-q", chaos.servers.directDatabaseURL, "-c", "delete from \(rig.name).fetch_cursors"]
                )
                try rig.start()
                try await rig.sleep(seconds: 2)
            }
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
