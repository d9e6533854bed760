internal import Model

/// Reads the elements of one list.
struct ListReader {
    let rule: Extractor.ListRule
    let material: Material
    let trace: ExtractionTrace?
    private(set) var found: [Found] = []
    private(set) var spans: [Range<Int>] = []

    init(rule: Extractor.ListRule, material: Material, trace: ExtractionTrace?) {
        self.rule = rule
        self.material = material
        self.trace = trace
    }

    /// An element, and where its captures stand.
    struct Found {
        var entry: Int
        /// ``Material/Fragment/order``.
        var order: Int
        var captured: Range<Int>
        var element: RecordDraft.Element
    }

    /// What was found by all entries so far, in the order of the text.
    var elements: [RecordDraft.Element] {
        guard rule.entries.count > 1 else { return found.map(\.element) }
        return found.sorted { ($0.order, $0.captured.lowerBound) < ($1.order, $1.captured.lowerBound) }.map(\.element)
    }

    mutating func read(entry number: Int) -> Extractor.Step {
        let entry = rule.entries[number]
        if case .text = entry.origin { return read(Material.Fragment(range: 0..<material.text.count), entry, number) }
        for fragment in material.fragments(of: entry.origin) {
            switch read(fragment, entry, number) {
            case .done, .absent: break
            case let step: return step
            }
        }
        return .done
    }

    private mutating func read(
        _ fragment: Material.Fragment,
        _ entry: Extractor.ListEntry,
        _ number: Int
    ) -> Extractor.Step {
        guard let own = fragment.own else { return read(fragment, material.text, entry, number) }
        return own.withUnsafeBufferPointer { read(fragment, $0, entry, number) }
    }

    private mutating func read(
        _ fragment: Material.Fragment,
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ entry: Extractor.ListEntry,
        _ number: Int
    ) -> Extractor.Step {
        var failure: StepFailure?
        var outcome = Pattern.Outcome.noMatch
        let start = fragment.range.lowerBound
        if let pattern = entry.pattern {
            // The value alone is searched, so that `^` and `$` mean its ends.
            outcome = pattern.forEachMatch(in: UnsafeBufferPointer(rebasing: bytes[fragment.range])) { range in
                failure = add(fragment, bytes, (range.lowerBound + start)..<(range.upperBound + start), entry, number)
                return failure == nil
            }
        } else {
            failure = add(fragment, bytes, fragment.range, entry, number)
        }
        if let failure { return .failed(failure) }
        return outcome == .noMatch ? .done : .abandoned
    }

    private mutating func add(
        _ fragment: Material.Fragment,
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ matched: Range<Int>,
        _ entry: Extractor.ListEntry,
        _ number: Int
    ) -> StepFailure? {
        do throws(StepFailure) {
            guard let element = try element(fragment, bytes, matched, entry, number) else { return nil }
            found.append(element)
            if fragment.own == nil { spans.append(fragment.span ?? matched) }
            guard found.count <= Extractor.longestList else {
                throw StepFailure(step: rule.name, detail: "more than \(Extractor.longestList) elements")
            }
            return nil
        } catch {
            return error
        }
    }

    /// The element of one match or value; `nil` when an earlier entry has already read the same part of the text.
    private func element(
        _ fragment: Material.Fragment,
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ matched: Range<Int>,
        _ entry: Extractor.ListEntry,
        _ number: Int
    ) throws(StepFailure) -> Found? {
        var element = RecordDraft.Element(
            fields: entry.constants,
            isRead: Array(repeating: false, count: entry.constants.count)
        )
        var captured: Range<Int>?
        var taken: [(field: Int, value: FieldValue, place: Range<Int>?)] = []
        for capture in entry.captures {
            let part = part(capture, fragment, entry)
            guard let part else { continue }
            captured =
                captured.map {
                    min($0.lowerBound, part.range.lowerBound)..<max($0.upperBound, part.range.upperBound)
                } ?? part.range
            guard let value = try value(capture, part, bytes) else { continue }
            element.fields[capture.field] = value
            element.isRead[capture.field] = true
            taken.append((capture.field, value, material.place(of: part.range, in: part)))
        }
        let place = captured ?? matched
        let isRead = found.contains {
            $0.entry != number && $0.order == fragment.order && $0.captured.overlaps(place)
        }
        if isRead { return nil }
        for (index, field) in rule.type.fields.enumerated()
        where field.required && field.defaultValue == nil && element.fields[index] == nil {
            throw StepFailure(step: "\(rule.name).\(field.name)", detail: "a match gave no value for it")
        }
        if let trace {
            for part in taken {
                let name = "\(rule.name)[\(found.count)].\(rule.type.fields[part.field].name)"
                trace.took(name, by: entry.written, at: part.place, part.value)
            }
        }
        return Found(entry: number, order: fragment.order, captured: place, element: element)
    }

    /// The part of the text a capture takes.
    private func part(
        _ capture: Extractor.Capture,
        _ fragment: Material.Fragment,
        _ entry: Extractor.ListEntry
    ) -> Material.Fragment? {
        var part = fragment
        if let pattern = entry.pattern {
            guard let range = pattern.range(of: capture.groups) else { return nil }
            let start = fragment.range.lowerBound
            part.range = (range.lowerBound + start)..<(range.upperBound + start)
            part.isNumber = false
        } else if let path = capture.path {
            guard let view = fragment.view, let value = path.values(in: view).first else { return nil }
            return material.fragment(of: value)
        }
        return part
    }

    private func value(
        _ capture: Extractor.Capture,
        _ part: Material.Fragment,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(StepFailure) -> FieldValue? {
        do throws(ValueReader.Problem) {
            guard capture.path != nil, let own = part.own else {
                return part.isNumber
                    ? try capture.reader.read(jsonNumber: bytes) : try capture.reader.read(bytes, at: part.range)
            }
            return try Self.read(own, part, capture.reader)
        } catch {
            let step = "\(rule.name).\(rule.type.fields[capture.field].name)"
            throw StepFailure(step: step, detail: error.description)
        }
    }

    private static func read(
        _ bytes: [UInt8],
        _ part: Material.Fragment,
        _ reader: ValueReader
    ) throws(ValueReader.Problem) -> FieldValue? {
        let result = bytes.withUnsafeBufferPointer { buffer -> Result<FieldValue?, ValueReader.Problem> in
            Result { () throws(ValueReader.Problem) in
                part.isNumber ? try reader.read(jsonNumber: buffer) : try reader.read(buffer, at: part.range)
            }
        }
        return try result.get()
    }
}
