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
            let seconds = chaos.seconds(5, 60)
            try await chaos.during {
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq set_vm_memory_high_watermark 0.00001")
                try await chaos.rig.sleep(seconds: seconds)
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq set_vm_memory_high_watermark 0.4")
            }
        },
        Case("disk alarm") { chaos in
            let seconds = chaos.seconds(5, 60)
            try await chaos.during {
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq set_disk_free_limit 1000000000000000")
                try await chaos.rig.sleep(seconds: seconds)
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq set_disk_free_limit 50MB")
            }
        },
        Case("queue full") { chaos in
            let rig = chaos.rig
            let pattern = "^\(rig.name)\\.(parse|store)$"
            try await chaos.servers.shell(
                "rabbitmq_ctl $DIR/mq set_policy full '\(pattern)' '{\"max-length\":3}' --apply-to queues"
            )
            try await chaos.during { try await rig.sleep(seconds: chaos.seconds(4, 30)) }
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

    static let networks: [Case] = [
        Case("latency of 50 ms to broker and database") { chaos in
            try await chaos.network(.latency(.milliseconds(50)), for: chaos.seconds(4, 30))
        },
        Case("slow drip to the database") { chaos in
            try await chaos.network(.drip(.milliseconds(2)), for: chaos.seconds(4, 30), [chaos.servers.database])
        },
        Case("connections cut in the middle of a frame") { chaos in
            var random = chaos.random
            for _ in 0..<chaos.times(3, 10) {
                let bytes = Int.random(in: 500...60_000, using: &random)
                try await chaos.network(.cut(afterBytes: bytes), for: 2)
            }
        },
        Case("black hole to the broker") { chaos in
            try await chaos.network(.blackHole, for: chaos.seconds(25, 60), [chaos.servers.broker])
        },
        Case("black hole to the database", isLong: true) { chaos in
            try await chaos.network(.blackHole, for: 60, [chaos.servers.database])
        },
    ]
}

extension Chaos {
    /// Starts the tree where it does not run and brings something about while messages come.
    func during(_ fault: () async throws -> Void) async throws {
        if rig.supervisor == nil { try rig.start() }
        try await rig.untilStored(200)
        try await rig.feeding {
            try await rig.sleep(seconds: 0.3)
            try await fault()
        }
    }

    func network(
        _ fault: FaultProxy.Fault,
        for seconds: Double,
        _ proxies: [FaultProxy]? = nil
    ) async throws {
        let proxies = proxies ?? [servers.broker, servers.database]
        try await during {
            for proxy in proxies { proxy.set(fault) }
            try await rig.sleep(seconds: seconds)
            for proxy in proxies { proxy.set(.none) }
        }
    }
}
