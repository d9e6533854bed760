import Model
import SimulatorKit

/// The paths below `/simulator`, by which a test steers the simulator and asks what it did. They need no token; the
/// simulator listens on loopback only.
///
/// - `GET /simulator/stats`: what was answered, and each channel's messages.
/// - `GET /simulator/ids?channel=ID`: the ids of the messages that become traffic, oldest first.
/// - `POST /simulator/faults`: `{"mode": "500|429|html|cut|short|hang|reset|none"}` with `seconds` or `requests`, and
///   optionally `channel`; `status` for `html`, `retry_after` and `scope` for `429`.
/// - `POST /simulator/messages`: `{"channel_id", "content", …}` posts, `{"id", "content", …}` edits,
///   `{"id", "delete": true}` deletes.
/// - `POST /simulator/posts`: an array of messages to post; answers with their ids.
/// - `POST /simulator/channels`: `{"id", "access": "full|no_history|none"}`.
enum ControlEndpoint {
    static func answer(_ request: APIRequest, _ discord: inout SimulatedDiscord, at now: Timestamp) -> Answer {
        switch (request.method, request.path) {
        case ("GET", "/simulator/stats"): return stats(discord)
        case ("GET", "/simulator/ids"): return ids(request, discord)
        case ("POST", "/simulator/faults"), ("POST", "/simulator/messages"), ("POST", "/simulator/posts"),
            ("POST", "/simulator/channels"):
            do {
                let document = try JSONDocument(request.body)
                switch request.path {
                case "/simulator/faults": return try fault(document.root, &discord, at: now)
                case "/simulator/messages": return try message(document.root, &discord, at: now)
                case "/simulator/posts": return try posts(document.root, &discord, at: now)
                default: return try channel(document.root, &discord)
                }
            } catch {
                return refusal(400, "\(error)")
            }
        default: return refusal(404, "there is no \(request.method) \(request.path)")
        }
    }

    private static func refusal(_ status: Int, _ reason: String) -> Answer {
        Answer(status: status) { writer in
            writer.object { writer in
                writer.key("error")
                writer.value(reason)
            }
        }
    }

    // MARK: Questions

    private static func stats(_ discord: SimulatedDiscord) -> Answer {
        Answer { writer in
            writer.object { writer in
                func number(_ name: String, _ value: Int, _ writer: inout JSONWriter) {
                    writer.key(name)
                    writer.value(value)
                }
                number("requests", discord.books.requests, &writer)
                writer.key("by_status")
                writer.object { writer in
                    for (status, count) in discord.books.byStatus.sorted(by: { $0.key < $1.key }) {
                        number(status, count, &writer)
                    }
                }
                number("invalid", discord.books.invalid, &writer)
                number("limited", discord.books.limited, &writer)
                writer.key("channels")
                writer.object { writer in
                    for (id, channel) in discord.channels.sorted(by: { $0.key < $1.key }) {
                        writer.key(String(id))
                        writer.object { writer in
                            number("messages", channel.messageCount, &writer)
                            number("ingestible", channel.ingestibleCount, &writer)
                            number("served_ids", channel.servedCount, &writer)
                        }
                    }
                }
            }
        }
    }

    private static func ids(_ request: APIRequest, _ discord: SimulatedDiscord) -> Answer {
        let text = request.parameters.last { $0.name == "channel" }?.value ?? ""
        guard let id = Snowflake(text)?.rawValue, let channel = discord.channels[id] else {
            return refusal(404, "no channel '\(text)'")
        }
        return Answer { writer in
            writer.array { writer in
                for id in channel.ingestibleIDs { writer.value(String(id)) }
            }
        }
    }

    // MARK: Orders

    private static func fault(
        _ json: JSONView,
        _ discord: inout SimulatedDiscord,
        at now: Timestamp
    ) throws -> Answer {
        let channel = try json["channel"].map { try id($0, "channel") }
        let name = json["mode"]?.string ?? json["mode"]?.numberLiteral ?? ""
        if name == "none" {
            discord.faults.clear(channel: channel)
            return Answer(status: 200, json: Array("{}".utf8))
        }
        guard let mode = FaultPlan.Mode(rawValue: name) else {
            let known = FaultPlan.Mode.allCases.map(\.rawValue).joined(separator: ", ")
            throw RecordingError(problem: "'mode' must be one of \(known), none")
        }
        var fault = FaultPlan.Fault(mode: mode)
        fault.channel = channel
        fault.until = json["seconds"]?.double.map {
            Timestamp(microseconds: now.microseconds + Int64($0 * 1_000_000))
        }
        fault.requests = json["requests"]?.integer.map { Int($0) }
        if let status = json["status"]?.integer { fault.status = Int(status) }
        if let seconds = json["retry_after"]?.double { fault.retryAfter = Int64(seconds * 1_000_000) }
        if let scope = json["scope"]?.string { fault.scope = scope }
        discord.faults.add(fault)
        return Answer(status: 200, json: Array("{}".utf8))
    }

    private static func message(
        _ json: JSONView,
        _ discord: inout SimulatedDiscord,
        at now: Timestamp
    ) throws -> Answer {
        guard let given = json["id"] else { return Answer(status: 200, json: try discord.post(json, at: now)) }
        let id = try id(given, "id")
        if json["delete"]?.boolean == true {
            return discord.delete(id: id)
                ? Answer(status: 200, json: Array("{}".utf8)) : refusal(404, "no message '\(id)'")
        }
        guard let message = try discord.edit(id: id, json, at: now) else { return refusal(404, "no message '\(id)'") }
        return Answer(status: 200, json: message)
    }

    private static func posts(
        _ json: JSONView,
        _ discord: inout SimulatedDiscord,
        at now: Timestamp
    ) throws -> Answer {
        var ids: [String] = []
        for message in json.elements {
            let posted = try JSONDocument(try discord.post(message, at: now)).root
            ids.append(posted["id"]?.string ?? "")
        }
        return Answer { writer in
            writer.array { writer in
                for id in ids { writer.value(id) }
            }
        }
    }

    private static func channel(_ json: JSONView, _ discord: inout SimulatedDiscord) throws -> Answer {
        guard let given = json["id"], discord.channels[try id(given, "id")] != nil else {
            return refusal(404, "no such channel")
        }
        guard let access = json["access"]?.string.flatMap({ ChannelHistory.Access(rawValue: $0) }) else {
            throw RecordingError(problem: "'access' must be full, no_history or none")
        }
        discord.channels[try id(given, "id")]!.access = access
        return Answer(status: 200, json: Array("{}".utf8))
    }

    private static func id(_ json: JSONView, _ field: String) throws -> UInt64 {
        guard let id = json.string.flatMap({ Snowflake($0) }) else {
            throw RecordingError(problem: "'\(field)' must be a string of digits")
        }
        return id.rawValue
    }
}
