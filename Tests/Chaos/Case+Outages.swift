import Foundation
import TestSupport

extension Case {
    static let outages: [Case] = [
        Case("broker stopped politely") { chaos in
            try await chaos.during {
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq stop_app")
                try await chaos.rig.sleep(seconds: 1)
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq start_app")
            }
        },
        Case("broker killed") { chaos in
            for _ in 0..<chaos.times(1, 10) {
                try await chaos.during {
                    try await chaos.servers.shell("kill -9 $(cat $DIR/mq/node.pid); sleep 1")
                    try await chaos.servers.startBroker()
                }
            }
        },
        Case("memory alarm") { chaos in
            try await chaos.alarm("set_vm_memory_high_watermark 0.00001", "set_vm_memory_high_watermark 0.4")
        },
        Case("disk alarm") { chaos in
            try await chaos.alarm("set_disk_free_limit 1000000000000000", "set_disk_free_limit 50MB")
        },
        Case("queue full") { chaos in
            let rig = chaos.rig
            let pattern = "^\(rig.name)\\.(parse|store)$"
            try await chaos.servers.shell(
                "rabbitmq_ctl $DIR/mq set_policy full '\(pattern)' '{\"max-length\":3}' --apply-to queues"
            )
            // Who takes from a queue keeps it short, so each is away for a while.
            for (stage, others) in [
                ("parse", "setup,store,deadletter,fetch"), ("store", "setup,deadletter,parse,fetch"),
            ] {
                try rig.start(only: others)
                try await rig.feeding {
                    try await eventually("the queue of \(stage) is full") {
                        rig.log.split(separator: "\n").contains {
                            $0.contains("queue is full") && $0.contains("\"routing_key\":\"\(stage)\"")
                        }
                    }
                    try await rig.sleep(seconds: chaos.seconds(1, 15))
                }
                try await rig.stop()
            }
            try rig.start()
            try await chaos.during { try await rig.sleep(seconds: chaos.seconds(2, 15)) }
            try await chaos.servers.shell("rabbitmq_ctl $DIR/mq clear_policy full")
        },
        Case("Postgres stopped at once") { chaos in
            let (rig, seconds) = (chaos.rig, chaos.seconds(6, 60))
            try await chaos.during {
                try await chaos.servers.shell(
                    "_postgres_as_server $DIR/pg $(_postgres_bin)/pg_ctl -D $_postgres_dir/data -m immediate -w -s stop"
                )
                try await eventually("a breaker opens", within: .seconds(30)) {
                    try await rig.workers().contains { $0.services["database"] == "open" }
                }
                try await rig.sleep(seconds: seconds)
                try await chaos.servers.shell("postgres_start $DIR/pg")
            }
            guard !rig.log.contains("will be tried again") else { throw TimedOut(what: "an outage without attempts") }
        },
    ]
}

extension Chaos {
    /// Has the broker take no publishes for a while, in which everybody must stay alive.
    ///
    /// - Parameters:
    ///   - raise: what `rabbitmqctl` is told first.
    ///   - clear: what it is told in the end.
    fileprivate func alarm(_ raise: String, _ clear: String) async throws {
        try await during {
            let before = try await rig.workers().compactMap(\.pid)
            try await servers.shell("rabbitmq_ctl $DIR/mq \(raise)")
            try await eventually("a publisher is told to wait") { rig.log.contains("takes no publishes for now") }
            try await rig.sleep(seconds: seconds(5, 60))
            let after = try await rig.workers().compactMap(\.pid)
            guard !after.isEmpty, before == after else {
                throw TimedOut(what: "an alarm that every worker outlives: \(before) became \(after)")
            }
            try await servers.shell("rabbitmq_ctl $DIR/mq \(clear)")
        }
    }

    /// Starts the tree where it does not run and brings something about while messages come.
    func during(_ fault: () async throws -> Void) async throws {
        if rig.supervisor == nil { try rig.start() }
        try await rig.untilStored(200)
        try await rig.feeding {
            try await rig.sleep(seconds: 0.3)
            try await fault()
        }
    }
}
