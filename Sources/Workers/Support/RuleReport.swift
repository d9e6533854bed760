import Foundation
package import Model
package import Rules

/// What one parse replica's rules have done, as it leaves it for `chaffinch rules` in the data folder.
///
/// A file of its own for each replica (`run/rules-1.json`): a line of the control channel is too short for a thousand
/// rules. Rules that were never tried are left out.
package struct RuleReport: Sendable {
    package var replica: Int
    package var pid: Int32
    package var generation: Int
    package var writtenAt: Timestamp
    /// Messages since the replica took over this generation; on how many the rules were cut short, and how many were
    /// too long to be tried.
    package var messages = 0
    package var cutShort = 0
    package var oversized = 0
    /// By the rule's id.
    package var counts: [String: ParserCounts] = [:]

    /// Where the replica's report is.
    package static func path(dataFolder: String, replica: Int) -> String {
        "\(dataFolder)/run/rules-\(replica).json"
    }

    // MARK: Writing

    /// Replaces the file whole, so that a reader never sees half of it.
    ///
    /// - Throws: what the file system says.
    package func write(dataFolder: String) throws {
        let path = Self.path(dataFolder: dataFolder, replica: replica)
        try FileManager.default.createDirectory(
            atPath: dataFolder + "/run",
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        try Data(json.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    package var json: String {
        var writer = JSONWriter(reserving: 256 + counts.count * 160)
        writer.object { writer in
            for (name, value) in [
                ("replica", replica), ("pid", Int(pid)), ("generation", generation), ("messages", messages),
                ("cut_short", cutShort), ("oversized", oversized),
            ] {
                writer.key(name)
                writer.value(value)
            }
            writer.key("written_at")
            writer.value(writtenAt.iso8601)
            writer.key("rules")
            writer.object { writer in
                for (id, counts) in counts.sorted(by: { $0.key < $1.key })
                where counts.tried > 0 || counts.shadow != nil {
                    writer.key(id)
                    counts.write(to: &writer)
                }
            }
        }
        return writer.text
    }

    // MARK: Reading

    package init(
        replica: Int,
        pid: Int32,
        generation: Int,
        writtenAt: Timestamp,
        messages: Int = 0,
        cutShort: Int = 0,
        oversized: Int = 0,
        counts: [String: ParserCounts] = [:]
    ) {
        self.replica = replica
        self.pid = pid
        self.generation = generation
        self.writtenAt = writtenAt
        self.messages = messages
        self.cutShort = cutShort
        self.oversized = oversized
        self.counts = counts
    }

    /// `nil` where there is no report, or one that this version does not know.
    package init?(dataFolder: String, replica: Int) {
        guard
            let data = try? Data(contentsOf: URL(fileURLWithPath: Self.path(dataFolder: dataFolder, replica: replica))),
            let json = try? JSONDocument(Array(data)).root, let pid = json["pid"]?.integer,
            let generation = json["generation"]?.integer,
            let writtenAt = json["written_at"]?.string.flatMap({ Timestamp(iso8601: $0) })
        else { return nil }
        self.init(
            replica: replica,
            pid: Int32(truncatingIfNeeded: pid),
            generation: Int(generation),
            writtenAt: writtenAt,
            messages: Int(json["messages"]?.integer ?? 0),
            cutShort: Int(json["cut_short"]?.integer ?? 0),
            oversized: Int(json["oversized"]?.integer ?? 0)
        )
        guard let rules = json["rules"] else { return }
        for (id, rule) in rules.members { counts[id] = ParserCounts(rule) }
    }
}

extension ParserCounts {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, value) in [
                ("tried", tried), ("parsed", parsed), ("timed", timed), ("nanoseconds", nanoseconds),
            ] {
                writer.key(name)
                writer.value(value)
            }
            for (name, steps) in [("missing", missing), ("failures", failures), ("limits", limits)] {
                writer.key(name)
                writer.object { writer in
                    for (step, count) in steps.sorted(by: { $0.key < $1.key }) {
                        writer.key(step)
                        writer.value(count)
                    }
                }
            }
            if let shadow {
                writer.key("shadow")
                shadow.write(to: &writer)
            }
        }
    }

    init(_ json: JSONView) {
        self.init()
        func steps(_ json: JSONView?) -> [String: Int] {
            guard let json else { return [:] }
            return json.members.reduce(into: [:]) { $0[$1.key] = Int($1.value.integer ?? 0) }
        }
        tried = Int(json["tried"]?.integer ?? 0)
        parsed = Int(json["parsed"]?.integer ?? 0)
        timed = Int(json["timed"]?.integer ?? 0)
        nanoseconds = Int(json["nanoseconds"]?.integer ?? 0)
        missing = steps(json["missing"])
        failures = steps(json["failures"])
        limits = steps(json["limits"])
        shadow = json["shadow"].map { ShadowCounts($0) }
    }
}

extension ShadowCounts {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, value) in [
                ("same", same), ("different", different), ("only_shadow", onlyShadow), ("only_live", onlyLive),
            ] {
                writer.key(name)
                writer.value(value)
            }
            writer.key("differences")
            writer.array { writer in
                for difference in differences {
                    writer.object { writer in
                        writer.key("message_id")
                        writer.value(difference.messageID)
                        writer.key("channel_id")
                        writer.value(difference.channelID)
                        writer.key("live_parser")
                        writer.value(difference.liveParser)
                        for (name, lines) in [("live", difference.live), ("shadow", difference.shadow)] {
                            writer.key(name)
                            writer.array { writer in for line in lines { writer.value(line) } }
                        }
                    }
                }
            }
        }
    }

    init(_ json: JSONView) {
        self.init()
        same = Int(json["same"]?.integer ?? 0)
        different = Int(json["different"]?.integer ?? 0)
        onlyShadow = Int(json["only_shadow"]?.integer ?? 0)
        onlyLive = Int(json["only_live"]?.integer ?? 0)
        func lines(_ json: JSONView?) -> [String] { json?.elements.compactMap(\.string) ?? [] }
        for one in json["differences"]?.elements.map({ $0 }) ?? [] {
            note(
                ShadowDifference(
                    messageID: one["message_id"]?.string ?? "",
                    channelID: one["channel_id"]?.string ?? "",
                    liveParser: one["live_parser"]?.string,
                    live: lines(one["live"]),
                    shadow: lines(one["shadow"])
                )
            )
        }
    }
}
