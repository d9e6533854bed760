internal import Model

/// Notes, for an explanation, what took each value; the ordinary way through a rule has none.
final class ExtractionTrace {
    struct Capture {
        var name: String
        /// The pattern, key, path or template that took it.
        var source: String
        /// In the normalised text; `nil` for constants and embeds.
        var place: Range<Int>?
        var value: FieldValue?
    }

    private(set) var captures: [Capture] = []

    func took(_ name: String, by source: String, at place: Range<Int>?, _ value: FieldValue?) {
        captures.append(Capture(name: name, source: source, place: place, value: value))
    }
}
