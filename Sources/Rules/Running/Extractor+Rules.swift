internal import Model

/// What a rule file says of fields and lists, ready to be read by.
extension Extractor {
    struct FieldRule {
        /// Place in the record type.
        var index: Int
        var name: String
        var isRequired: Bool
        /// Tried in turn; the first that gives a value wins.
        var sources: [FieldSource]
    }

    enum FieldSource {
        /// A match in the whole text.
        case pattern(Pattern, groups: [Int], ValueReader)
        /// A value from elsewhere, or the part of it that a pattern selects.
        case value(ValueOrigin, Selection?, ValueReader)
        case constant(FieldValue)
    }

    struct Selection {
        var pattern: Pattern
        var groups: [Int]
    }

    /// Several fields by one match. The first shape that matches decides about all of them.
    struct Shape {
        var pattern: Pattern
        /// As the rule's author wrote it.
        var written: String
        var captures: [Capture]
    }

    struct ListRule {
        var index: Int
        var name: String
        var type: ListType
        var entries: [ListEntry]
    }

    struct ListEntry {
        var origin = ValueOrigin.text
        /// `nil` where the whole value is taken.
        var pattern: Pattern?
        /// As the rule's author wrote it.
        var written: String
        /// By groups of the pattern; without one, by paths from the value, or the value itself.
        var captures: [Capture]
        /// Values every element of this entry starts with, by the field's place.
        var constants: [FieldValue?]
    }

    struct Capture {
        var field: Int
        var groups: [Int] = []
        var path: ValuePath?
        var reader: ValueReader
    }
}
