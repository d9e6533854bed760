/// A typed record as a rule, a plugin or the last resort made it, checked against its ``RecordType``.
package struct Record: Sendable, Equatable {
    /// The record type's name.
    package var type: String
    /// The fields that are present, in the order of the record type.
    package var fields: [NamedValue]
    /// The lists that are present, in the order of the record type; an element's place in its array is its `position`.
    package var lists: [NamedList]

    package init(type: String, fields: [NamedValue] = [], lists: [NamedList] = []) {
        self.type = type
        self.fields = fields
        self.lists = lists
    }

    package func value(of field: String) -> FieldValue? { fields.value(of: field) }
    package func list(named name: String) -> [[NamedValue]] { lists.first { $0.name == name }?.elements ?? [] }

    package struct NamedValue: Sendable, Equatable {
        package var name: String
        package var value: FieldValue

        package init(_ name: String, _ value: FieldValue) {
            self.name = name
            self.value = value
        }
    }

    package struct NamedList: Sendable, Equatable {
        package var name: String
        package var elements: [[NamedValue]]

        package init(_ name: String, _ elements: [[NamedValue]]) {
            self.name = name
            self.elements = elements
        }
    }
}

extension [Record.NamedValue] {
    package func value(of name: String) -> FieldValue? { first { $0.name == name }?.value }
}

/// What became of a message. A fault that retries did not mend is no outcome: the message is in the dead letters.
package enum Outcome: String, Sendable, Codable, CaseIterable {
    /// At least one record was made.
    case parsed
    /// No rule took it.
    case unmatched
    /// A rule took its required fields and a later step failed; the reason says which.
    case invalid
    /// A plugin or the last resort declined it.
    case skipped
}

/// Where a record came from.
package enum RecordSource: String, Sendable, Codable {
    case rule, plugin, openai
}

/// A message and what was made of it: one element of a record batch.
package struct ParsedMessage: Sendable, Equatable {
    package var message: Message
    package var outcome: Outcome
    /// For `invalid` and `skipped`, which step failed and why; otherwise `nil`.
    package var reason: String?
    /// The id of the parser that made the records (or made the message invalid).
    package var parser: String?
    /// The content hash of that parser's file.
    package var parserVersion: String?
    package var source: RecordSource?
    /// A record's place in this array is its `ordinal`.
    package var records: [Record]
    /// 0 for traffic, the start time in milliseconds for a `reparse`. With the message's times it is its version.
    package var revision: Int64

    package init(
        message: Message,
        outcome: Outcome,
        reason: String? = nil,
        parser: String? = nil,
        parserVersion: String? = nil,
        source: RecordSource? = nil,
        records: [Record] = [],
        revision: Int64 = 0
    ) {
        self.message = message
        self.outcome = outcome
        self.reason = reason
        self.parser = parser
        self.parserVersion = parserVersion
        self.source = source
        self.records = records
        self.revision = revision
    }

    /// The version by which a store decides what replaces what: a higher one replaces all, an equal or lower nothing.
    package var version: MessageVersion {
        MessageVersion(instant: message.editedAt ?? message.sentAt, revision: revision)
    }
}

/// A message's version: when it was last edited (or sent), then the revision of a reparse.
package struct MessageVersion: Sendable, Hashable, Comparable {
    package var instant: Timestamp
    package var revision: Int64

    package init(instant: Timestamp, revision: Int64) {
        self.instant = instant
        self.revision = revision
    }

    package static func < (left: MessageVersion, right: MessageVersion) -> Bool {
        (left.instant, left.revision) < (right.instant, right.revision)
    }
}
