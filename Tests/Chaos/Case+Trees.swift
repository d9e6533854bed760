import Foundation
import TestSupport

/// Whole trees that end, and more than one of them.
extension Case {
    static let trees: [Case] = [
        Case("supervisor killed, then started") { chaos in
            let rig = chaos.rig
            try rig.start()
            for _ in 0..<chaos.times(2, 5) {
                _ = try await rig.running("fetch")
                try await rig.feeding { try await rig.sleep(seconds: 0.5) }
                let pids = try await rig.workers().compactMap(\.pid)
                guard pids.count >= 4 else { throw TimedOut(what: "a tree to be killed; it has \(pids)") }
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
                kill(try await rig.running("fetch"), SIGKILL)
                try await rig.sleep(seconds: 2)
            }
            guard second.isRunning, second.errors.contains("the whole tree is ready") else {
                throw TimedOut(what: "a second supervisor")
            }
            await second.stop()
        },
        Case("everything delivered a second time", Rig.Setting(extra: "workers: { store: { replicas: 4 } }")) { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(500)
            for _ in 0..<2 {
                try await rig.stop()
                try await rig.alter("delete from fetch_cursors")
                let before = try await rig.discord.requests()
                try rig.start()
                // Each answer has a hundred messages at most.
                let pages = try await rig.sourceIDs().count / 100
                try await eventually("everything is read again") {
                    try await rig.discord.requests() >= before + Int64(pages)
                }
            }
        },
    ]
}
