package import Model
package import Rules
package import Storage

/// Runs stored messages through the rules once more, and replaces the records of those that come out differently.
///
/// In the order of the ids, a few hundred at a time, so memory stays the same however many there are. A message that
/// comes out as it stands is not written. What the rules do not take and a plugin or the last resort decided stays.
package struct Reparse {
    package struct Options: Sendable {
        /// All channels when empty.
        package var channels: [Snowflake] = []
        /// Only messages this parser made or makes records of (or found invalid).
        package var parser: String?
        package var dryRun = false
        /// With the messages' times, what their new versions are.
        package var revision: Int64
        package var keeping: MessageKeeping

        package init(revision: Int64, keeping: MessageKeeping) {
            self.revision = revision
            self.keeping = keeping
        }
    }

    package struct Report: Sendable, Codable, Equatable {
        package var read = 0
        /// Messages that come out differently, and whose records were replaced (with a dry run: would be).
        package var changed = 0
        /// How many of the changed went from which outcome to which: `unmatched → parsed`.
        package var transitions: [String: Int] = [:]
        /// Messages that a later edit overtook meanwhile; today's rules have read that.
        package var overtaken = 0
        /// Messages that the rules do not take and a plugin or the last resort decided.
        package var leftToOthers = 0
        /// Messages whose stored payload cannot be read, and those whose new records the database refuses.
        package var failed = 0

        package init() {}
    }

    /// One message that comes out differently.
    package struct Change: Sendable {
        package var before: StoredMessage
        package var after: ParsedMessage
    }

    package static let batch = 500

    private let store: any Store
    private let rules: RuleSet
    private let options: Options

    package init(store: any Store, rules: RuleSet, options: Options) {
        self.store = store
        self.rules = rules
        self.options = options
    }

    /// - Parameters:
    ///   - start: only messages above this id.
    ///   - change: told of each message that comes out differently.
    ///   - problem: told in a sentence of each that failed.
    ///   - progress: told after each batch, once it is committed, up to which id.
    /// - Throws: ``StoreError``; what was told to `progress` is done.
    package func run(
        after start: Snowflake,
        report: Report = Report(),
        change: (Change) -> Void,
        problem: (String) -> Void,
        progress: (Snowflake, Report) throws -> Void
    ) async throws -> Report {
        var report = report
        var position = start
        while true {
            let stored = try await store.storedMessages(
                after: position,
                channels: options.channels,
                limit: Self.batch
            )
            guard let last = stored.last else { return report }
            var changes: [ParsedMessage] = []
            for message in stored {
                guard let found = examine(message, &report, problem) else { continue }
                report.changed += 1
                report.transitions[
                    "\(found.before.outcome?.rawValue ?? "none") → \(found.after.outcome.rawValue)",
                    default: 0
                ] += 1
                change(found)
                changes.append(found.after)
            }
            if !options.dryRun { try await write(changes, &report, problem) }
            report.read += stored.count
            position = last.id
            try progress(position, report)
        }
    }

    /// What becomes of a message; `nil` when it stays as it is.
    private func examine(_ stored: StoredMessage, _ report: inout Report, _ problem: (String) -> Void) -> Change? {
        let message: Message
        do {
            message = try Message(JSONDocument(stored.payload).root)
        } catch {
            report.failed += 1
            problem("message \(stored.id): its payload cannot be read: \(error)")
            return nil
        }
        var parsed = rules.parse(message)
        if parsed.outcome != .parsed, stored.isDecidedElsewhere {
            report.leftToOthers += 1
            return nil
        }
        if let parser = options.parser, parsed.parser != parser, stored.parser != parser { return nil }
        guard !stored.isAlike(parsed) else { return nil }
        // A clock that was set back must not make the message look outdated.
        parsed.revision = max(options.revision, stored.revision + 1)
        return Change(before: stored, after: parsed)
    }

    /// Writes a batch; what the database refuses for its data is sought out by halving, and the rest is written.
    private func write(
        _ batch: [ParsedMessage],
        _ report: inout Report,
        _ problem: (String) -> Void
    ) async throws {
        guard !batch.isEmpty else { return }
        do {
            let result = try await store.write(batch, keeping: options.keeping)
            report.overtaken += result.unchanged
            report.changed -= result.unchanged
        } catch let error as StoreError where error.code == .badData {
            guard batch.count > 1 else {
                report.failed += 1
                report.changed -= 1
                return problem("message \(batch[0].message.id): \(error)")
            }
            try await write(Array(batch[..<(batch.count / 2)]), &report, problem)
            try await write(Array(batch[(batch.count / 2)...]), &report, problem)
        }
    }
}

extension StoredMessage {
    /// The parser that made its records or found it invalid.
    package var parser: String? {
        if let parser = records.first?.parser { return parser }
        guard outcome == .invalid, let reason, let colon = reason.firstRange(of: ": ") else { return nil }
        return String(reason[..<colon.lowerBound])
    }

    /// Whether a plugin or the last resort had the last word on it.
    fileprivate var isDecidedElsewhere: Bool {
        outcome == .skipped || records.contains { $0.source != .rule }
    }

    /// Whether a new parse says what is stored. The version of the parser's file does not count: it says which text of
    /// the rules made the record, and that stays true.
    fileprivate func isAlike(_ parsed: ParsedMessage) -> Bool {
        outcome == parsed.outcome && reason == parsed.reason && records.count == parsed.records.count
            && zip(records, parsed.records).allSatisfy { old, new in
                old.parser == parsed.parser && old.source == parsed.source && old.record.isAlike(new)
            }
    }
}

extension Record {
    /// Equal but for the order of fields and lists, and empty lists, which no table shows.
    fileprivate func isAlike(_ other: Record) -> Bool {
        guard type == other.type, Self.same(fields, other.fields) else { return false }
        let names = Set((lists + other.lists).map(\.name))
        return names.allSatisfy { name in
            let (mine, theirs) = (list(named: name), other.list(named: name))
            return mine.count == theirs.count && zip(mine, theirs).allSatisfy(Self.same)
        }
    }

    private static func same(_ left: [NamedValue], _ right: [NamedValue]) -> Bool {
        left.count == right.count && left.allSatisfy { right.value(of: $0.name)?.asStored == $0.value.asStored }
    }
}

extension FieldValue {
    /// A text as a column takes it.
    fileprivate var asStored: FieldValue {
        guard case .text(let text) = self, text.utf8.contains(0) else { return self }
        return .text(String(text.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }
}
