internal import Model

/// A line on the supervisor's local socket: `{"type":"status"}`, `{"type":"reload"}`, or `restart` and `reset` with a
/// `worker`, which names a child or one replica of it (`parse`, `parse/2`).
enum OperatorRequest: Equatable {
    case status
    case restart(String)
    case reset(String)
    case reload
    /// Not understood, and why.
    case refused(String)

    init(_ line: [UInt8]) {
        guard let document = try? JSONDocument(line), let type = document.root["type"]?.string else {
            self = .refused("a request is a JSON object with a type")
            return
        }
        let worker = document.root["worker"]?.string
        switch (type, worker) {
        case ("status", _): self = .status
        case ("reload", _): self = .reload
        case ("restart", let worker?): self = .restart(worker)
        case ("reset", let worker?): self = .reset(worker)
        case ("restart", nil), ("reset", nil): self = .refused("'\(type)' needs a 'worker'")
        default: self = .refused("unknown request '\(type)'")
        }
    }

    /// A reload is under way; the status counts up to `number` once it is over.
    static func promise(_ number: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("ok")
            writer.value(true)
            writer.key("reload")
            writer.value(number)
        }
        return writer.bytes
    }

    static func refusal(_ reason: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { $0.member("error", reason) }
        return writer.bytes
    }

    /// It is done, or under way; `restarts` is what the status will count once the next process was started.
    static func acceptance(_ replicas: [Replica]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("ok")
            writer.value(true)
            writer.key("workers")
            writer.array { writer in
                for replica in replicas {
                    writer.object { writer in
                        writer.member("name", replica.id.child)
                        writer.key("replica")
                        writer.value(replica.id.index)
                        writer.key("restarts")
                        writer.value(replica.starts)
                    }
                }
            }
        }
        return writer.bytes
    }
}
