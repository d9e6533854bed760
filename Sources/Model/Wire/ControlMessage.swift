/// The control channel `chaffinch-child/1`: newline-delimited JSON objects with a `type`, at most 8 KiB a line, over
/// an inherited socket pair on descriptor 3. Times are milliseconds; a `deadline` counts from now.
package enum ControlProtocol {
    package static let name = "chaffinch-child/1"
    package static let descriptor: Int32 = 3
    package static let environmentVariable = "CHAFFINCH_CONTROL_FD"
    package static let maximumLineBytes = 8 * 1024
}

/// What a child says to the supervisor.
package enum ChildMessage: Sendable, Equatable {
    case hello(protocol: String, role: String, pid: Int32)
    /// Dependants wait for this: it is said, not assumed.
    case ready
    /// From the work loop itself. `progress` counts units of work acknowledged since start, `backlog` those at hand and
    /// not finished; whoever leaves it out is not judged by its progress. `waiting` names a service that is away, without
    /// which the work cannot go on.
    case heartbeat(sequence: UInt64, progress: UInt64, backlog: UInt64? = nil, waiting: String? = nil)
    /// Prolongs the time-out in force by so many milliseconds from now.
    case extend(milliseconds: Int64)
    case draining
    /// Counters for watching; never the truth, which is in the tables.
    case stats([String: Int64])
    /// A service this child depends on went away (`open`) or came back (`closed`).
    case service(name: String, state: String)
    case generation(rules: Int64, ok: Bool, error: String?)

    /// One line, without its newline.
    package var line: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("type")
            switch self {
            case .hello(let name, let role, let pid):
                writer.value("hello")
                writer.key("protocol")
                writer.value(name)
                writer.key("role")
                writer.value(role)
                writer.key("pid")
                writer.value(pid)
            case .ready: writer.value("ready")
            case .heartbeat(let sequence, let progress, let backlog, let waiting):
                writer.value("heartbeat")
                writer.key("seq")
                writer.value(sequence)
                writer.key("progress")
                writer.value(progress)
                if let backlog {
                    writer.key("backlog")
                    writer.value(backlog)
                }
                if let waiting {
                    writer.key("waiting")
                    writer.value(waiting)
                }
            case .extend(let milliseconds):
                writer.value("extend")
                writer.key("ms")
                writer.value(milliseconds)
            case .draining: writer.value("draining")
            case .stats(let counters):
                writer.value("stats")
                for (name, count) in counters.sorted(by: { $0.key < $1.key }) where name != "type" {
                    writer.key(name)
                    writer.value(count)
                }
            case .service(let name, let state):
                writer.value("service")
                writer.key("name")
                writer.value(name)
                writer.key("state")
                writer.value(state)
            case .generation(let rules, let ok, let error):
                writer.value("generation")
                writer.key("rules")
                writer.value(rules)
                writer.key("ok")
                writer.value(ok)
                if let error {
                    writer.key("error")
                    writer.value(error)
                }
            }
        }
        return writer.bytes
    }

    /// Reads a line; `nil` for anything that is not a message of this protocol, which changes nothing and is counted.
    package init?(line: some ContiguousBytesOfJSON) {
        guard let document = try? JSONDocument(line), let type = document.root["type"]?.string else { return nil }
        let json = document.root
        switch type {
        case "hello":
            guard let name = json["protocol"]?.string, name == ControlProtocol.name else { return nil }
            self = .hello(
                protocol: name,
                role: json["role"]?.string ?? "",
                pid: json["pid"]?.integer.flatMap { Int32(exactly: $0) } ?? 0
            )
        case "ready": self = .ready
        case "heartbeat":
            guard let sequence = json["seq"]?.integer, sequence >= 0 else { return nil }
            let progress = json["progress"]?.integer ?? 0
            let backlog = json["backlog"]?.integer
            guard progress >= 0, backlog ?? 0 >= 0 else { return nil }
            self = .heartbeat(
                sequence: UInt64(sequence),
                progress: UInt64(progress),
                backlog: backlog.map { UInt64($0) },
                waiting: json["waiting"]?.string.flatMap { $0.isEmpty ? nil : String($0.prefix(200)) }
            )
        case "extend":
            guard let milliseconds = json["ms"]?.integer, milliseconds > 0 else { return nil }
            self = .extend(milliseconds: milliseconds)
        case "draining": self = .draining
        case "stats":
            var counters: [String: Int64] = [:]
            for (name, value) in json.members where name != "type" {
                guard let count = value.integer else { return nil }
                counters[name] = count
            }
            self = .stats(counters)
        case "service":
            guard let name = json["name"]?.string, let state = json["state"]?.string,
                ["open", "closed"].contains(state)
            else { return nil }
            self = .service(name: name, state: state)
        case "generation":
            guard let rules = json["rules"]?.integer, let ok = json["ok"]?.boolean else { return nil }
            self = .generation(rules: rules, ok: ok, error: json["error"]?.string)
        default: return nil
        }
    }
}

/// What the supervisor says to a child.
package enum SupervisorMessage: Sendable, Equatable {
    /// Finish what is in hand and leave within so many milliseconds from now.
    case drain(deadline: Int64)
    /// Take over this generation of the configuration, and answer with `generation`.
    case reload(generation: Int64)
    case ping

    /// One line, without its newline.
    package var line: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("type")
            switch self {
            case .drain(let deadline):
                writer.value("drain")
                writer.key("deadline")
                writer.value(deadline)
            case .reload(let generation):
                writer.value("reload")
                writer.key("generation")
                writer.value(generation)
            case .ping: writer.value("ping")
            }
        }
        return writer.bytes
    }

    /// Reads a line; `nil` for anything that is not a message of this protocol.
    package init?(line: some ContiguousBytesOfJSON) {
        guard let document = try? JSONDocument(line), let type = document.root["type"]?.string else { return nil }
        switch type {
        case "drain": self = .drain(deadline: max(0, document.root["deadline"]?.integer ?? 0))
        case "reload": self = .reload(generation: document.root["generation"]?.integer ?? 0)
        case "ping": self = .ping
        default: return nil
        }
    }
}
