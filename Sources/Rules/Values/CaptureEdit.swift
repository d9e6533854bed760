internal import PipelineFile

/// What `remove:` and `case:` make of captured text before `map:` looks at it, so that `fil/usdt` reads as `FILUSDT`.
struct CaptureEdit: Sendable, Equatable {
    enum LetterCase: String, Sendable, CaseIterable { case upper, lower }

    /// Each of these is left out wherever it stands.
    var removed: Set<Character> = []
    var letterCase: LetterCase?

    var isNothing: Bool { removed.isEmpty && letterCase == nil }

    /// The edited text without white space around it; `nil` when nothing is left, which is an absent value.
    func apply(to text: String) -> String? {
        var edited = text
        edited.removeAll { removed.contains($0) }
        edited = String(edited.trimmingPrefix(while: \.isWhitespace))
        while edited.last?.isWhitespace == true { edited.removeLast() }
        guard !edited.isEmpty else { return nil }
        return switch letterCase {
        case .upper: edited.uppercased()
        case .lower: edited.lowercased()
        case nil: edited
        }
    }

    /// Reads the two clauses of one entry.
    static func read(
        remove: YAMLNode?,
        letterCase: YAMLNode?,
        of field: String,
        _ diagnostics: inout Diagnostics
    ) -> CaptureEdit {
        var edit = CaptureEdit()
        if let remove {
            if let characters = remove.scalar, !characters.isEmpty {
                edit.removed = Set(characters)
            } else {
                diagnostics.error("'remove' of '\(field)' is the characters to leave out, such as \"/-\"", at: remove)
            }
        }
        if let letterCase { edit.letterCase = letterCase.choice("'case'", &diagnostics) }
        return edit
    }
}
