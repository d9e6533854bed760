internal import Model

extension Explanation {
    /// A text for the terminal: each rule with its outcome, and under the lines of the message what was taken there.
    ///
    /// Control characters of the message are shown as spaces, so that none of them steers the terminal.
    package func rendered(colour: Bool) -> String {
        let pen = Pen(isOn: colour)
        return parsers.map { $0.rendered(pen) }.joined(separator: "\n")
    }
}

/// Writes with colour, or without.
private struct Pen {
    var isOn: Bool

    func bold(_ text: String) -> String { styled(text, "1") }
    func good(_ text: String) -> String { styled(text, "32") }
    func bad(_ text: String) -> String { styled(text, "31") }
    func faint(_ text: String) -> String { styled(text, "2") }
    func mark(_ text: String) -> String { styled(text, "36") }

    private func styled(_ text: String, _ code: String) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

extension ParserExplanation {
    fileprivate func rendered(_ pen: Pen) -> String {
        let status = summary.status == .shadow ? ", shadow" : ""
        let place = pen.faint("(\(summary.file), priority \(summary.priority)\(status))")
        var lines = ["\(pen.bold(summary.id)) \(place): \(told(pen))"]
        if !captures.isEmpty {
            lines += shownText(pen)
            let width = captures.map(\.field.count).max() ?? 0
            lines += captures.map { capture in
                let gap = String(repeating: " ", count: width - capture.field.count + 2)
                return
                    "  \(capture.field)\(gap)\(Self.plain(capture.value))  \(pen.faint(Self.clipped(Self.plain(capture.source))))"
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func told(_ pen: Pen) -> String {
        switch outcome {
        case .off: return "off"
        case .otherChannel: return "not tried: 'channels' does not name this channel"
        case .tooLong: return "not tried: the text is longer than \(RuleSet.longestText) bytes"
        case .gateClosed:
            switch summary.gate {
            case .given(let literals): return "not tried: its gate wants one of \(Self.list(literals))"
            case .derived(let literals): return "not tried: its required fields want one of \(Self.list(literals))"
            case .none: return "not tried"
            }
        case .notTaken(let why): return "no record: \(why)"
        case .failed(let step, let detail): return pen.bad("invalid: \(Self.plain("\(step): \(detail)"))")
        case .abandoned(let step): return pen.bad("given up: a pattern of '\(step)' ran into the step limit")
        case .parsed(let records):
            let count = pen.good(records.count == 1 ? "1 record" : "\(records.count) records")
            if isWinner || summary.status != .live { return count }
            return count + ", but an earlier rule has taken the message"
        }
    }

    private static func list(_ literals: [String]) -> String {
        literals.map { "'\($0)'" }.joined(separator: ", ")
    }

    /// The lines of the text, and under each what begins there.
    private func shownText(_ pen: Pen) -> [String] {
        let bytes = Array(text.utf8)
        var shown: [String] = []
        var start = 0
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let end = start + line.count
            let marks = captures.compactMap { capture -> String? in
                guard let place = capture.place, place.lowerBound >= start, place.lowerBound <= end, !place.isEmpty
                else {
                    return nil
                }
                let before = Self.width(bytes[start..<place.lowerBound])
                let length = max(1, Self.width(bytes[place.lowerBound..<min(end, place.upperBound)].trimmedEnd))
                let sign = "^" + String(repeating: "~", count: length - 1)
                return "  " + String(repeating: " ", count: before) + pen.mark("\(sign) \(capture.field)")
            }
            shown.append("  " + Self.plain(String(decoding: line, as: UTF8.self)))
            shown += marks
            start = end + 1
        }
        return shown
    }

    /// A pattern that was put together from pieces can be pages long; its beginning tells it from its neighbours.
    private static func clipped(_ source: String) -> String {
        source.count <= 80 ? source : source.prefix(79) + "…"
    }

    private static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
            )
        )
    }

    /// The columns a terminal gives to a text: two for pictures and for the wide letters of East Asia.
    private static func width(_ bytes: ArraySlice<UInt8>) -> Int {
        String(decoding: bytes, as: UTF8.self).reduce(0) { columns, character in
            guard let scalar = character.unicodeScalars.first else { return columns }
            let isWide =
                scalar.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}")
                || (0x1100...0x115F).contains(scalar.value) || (0x2E80...0xA4CF).contains(scalar.value)
                || (0xAC00...0xD7A3).contains(scalar.value) || (0xF900...0xFAFF).contains(scalar.value)
                || (0xFE30...0xFE6F).contains(scalar.value) || (0xFF00...0xFF60).contains(scalar.value)
            return columns + (isWide ? 2 : 1)
        }
    }
}

extension ArraySlice<UInt8> {
    /// What was taken out right behind a capture belongs to its place in the original; white space there is not shown.
    fileprivate var trimmedEnd: ArraySlice<UInt8> {
        var slice = self
        while let last = slice.last, last.isASCIISpace { slice.removeLast() }
        return slice
    }
}
