internal import Model

/// Reads the fields and lists of one record, for every engine: what differs is where a value comes from.
final class Extractor {
    enum Extraction {
        case absent(Missing)
        case failed(StepFailure)
        case abandoned(step: String)
        /// A draft without defaults, and the ranges that patterns matched.
        case taken(RecordDraft, spans: [Range<Int>])
    }

    /// The most elements one list may have: more is no message a person wrote.
    static let longestList = 1000

    let type: RecordType
    private let shapes: [Shape]
    private let required: [FieldRule]
    private let others: [FieldRule]
    private let lists: [ListRule]

    init(type: RecordType, shapes: [Shape] = [], fields: [FieldRule], lists: [ListRule]) {
        self.type = type
        self.shapes = shapes
        required = fields.filter(\.isRequired)
        others = fields.filter { !$0.isRequired }
        self.lists = lists
    }

    /// Every pattern with the name of its step.
    var patterns: [(step: String, pattern: Pattern)] {
        let ofFields = (required + others).flatMap { rule in
            rule.sources.compactMap { source -> (String, Pattern)? in
                switch source {
                case .pattern(let pattern, _, _): (rule.name, pattern)
                case .value(_, let selection, _): selection.map { (rule.name, $0.pattern) }
                case .constant: nil
                }
            }
        }
        let ofLists = lists.flatMap { rule in rule.entries.compactMap { entry in entry.pattern.map { (rule.name, $0) } }
        }
        return shapes.map { ("template", $0.pattern) } + ofFields + ofLists
    }

    func extract(_ material: Material, _ trace: ExtractionTrace? = nil) -> Extraction {
        var draft = RecordDraft(type)
        var spans: [Range<Int>] = []
        var failure: StepFailure?
        if !shapes.isEmpty {
            switch readShapes(material, &draft, &spans, trace) {
            case .done: break
            case .absent: return .absent(.template)
            case .failed(let step): return .failed(step)
            case .abandoned: return .abandoned(step: "template")
            }
        }
        // All required fields must be there before any failure counts: until then the text may be someone else's.
        for rule in required {
            switch read(rule, material, &draft, &spans, trace) {
            case .done: break
            case .absent: return .absent(.field(rule.index))
            case .failed(let step): failure = failure ?? step
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        if let failure { return .failed(failure) }
        for rule in others {
            switch read(rule, material, &draft, &spans, trace) {
            case .done, .absent: break
            case .failed(let step): return .failed(step)
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        for rule in lists {
            switch read(rule, material, &draft, &spans, trace) {
            case .done, .absent: break
            case .failed(let step): return .failed(step)
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        return .taken(draft, spans: spans)
    }

    enum Step {
        case done
        case absent
        case failed(StepFailure)
        case abandoned
    }

    private func readShapes(
        _ material: Material,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>],
        _ trace: ExtractionTrace?
    ) -> Step {
        for shape in shapes {
            switch shape.pattern.match(material.text) {
            case .noMatch: continue
            case .limitHit, .broken: return .abandoned
            case .matched: break
            }
            for capture in shape.captures {
                guard let range = shape.pattern.range(of: capture.groups) else { continue }
                let name = type.fields[capture.field].name
                do {
                    let value = try capture.reader.read(material.text, at: range)
                    draft.fields[capture.field] = value
                    draft.isRead[capture.field] = value != nil
                    trace?.took(name, by: "template " + shape.written, at: material.place(of: range), value)
                } catch {
                    return .failed(StepFailure(step: name, detail: error.description))
                }
            }
            spans.append(shape.pattern.matchedRange)
            return .done
        }
        return .absent
    }

    /// The first source with a value decides. When that value does not convert, no later pattern is asked: it would
    /// read something else than what the rule's author put first.
    private func read(
        _ rule: FieldRule,
        _ material: Material,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>],
        _ trace: ExtractionTrace?
    ) -> Step {
        // What a template has taken stands; a constant is for where it took nothing.
        if draft.fields[rule.index] != nil { return .done }
        for source in rule.sources {
            switch source {
            case .constant(let value):
                draft.fields[rule.index] = value
                trace?.took(rule.name, by: "value", at: nil, value)
                return .done
            case .pattern(let pattern, let groups, let reader):
                switch pattern.match(material.text) {
                case .noMatch: continue
                case .limitHit, .broken: return .abandoned
                case .matched: break
                }
                guard let range = pattern.range(of: groups) else { continue }
                do {
                    guard let value = try reader.read(material.text, at: range) else { continue }
                    draft.fields[rule.index] = value
                    draft.isRead[rule.index] = true
                    spans.append(pattern.matchedRange)
                    trace?.took(rule.name, by: "match " + pattern.source, at: material.place(of: range), value)
                    return .done
                } catch {
                    return .failed(StepFailure(step: rule.name, detail: error.description))
                }
            case .value(let origin, let selection, let reader):
                let step = read(rule, from: origin, selection, reader, material, &draft, &spans, trace)
                if case .absent = step { continue }
                return step
            }
        }
        return .absent
    }

    /// A value that stands there twice, and differently, is not guessed at.
    private func read(
        _ rule: FieldRule,
        from origin: ValueOrigin,
        _ selection: Selection?,
        _ reader: ValueReader,
        _ material: Material,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>],
        _ trace: ExtractionTrace?
    ) -> Step {
        var found: FieldValue?
        for fragment in material.fragments(of: origin) {
            switch value(of: fragment, selection, reader, material) {
            case .failure(.limit): return .abandoned
            case .failure(.problem(let problem)): return .failed(StepFailure(step: rule.name, detail: problem))
            case .success(nil): continue
            case .success((let value, let range)?):
                guard found == nil || found == value else {
                    return .failed(StepFailure(step: rule.name, detail: "\(origin.written) has several values"))
                }
                if found == nil {
                    let written = selection.map { "\(origin.written), match \($0.pattern.source)" } ?? origin.written
                    trace?.took(rule.name, by: written, at: material.place(of: range, in: fragment), value)
                }
                found = value
                if let span = fragment.span { spans.append(span) }
            }
        }
        guard let found else { return .absent }
        draft.fields[rule.index] = found
        draft.isRead[rule.index] = true
        return .done
    }

    private enum ReadError: Error {
        case limit
        case problem(String)
    }

    private func value(
        of fragment: Material.Fragment,
        _ selection: Selection?,
        _ reader: ValueReader,
        _ material: Material
    ) -> Result<(FieldValue, Range<Int>)?, ReadError> {
        material.withBytes(of: fragment) { bytes in
            var range = fragment.range
            if let selection {
                // The value alone is searched, so that `^` and `$` mean its ends.
                let searched = UnsafeBufferPointer(rebasing: bytes[fragment.range])
                switch selection.pattern.match(searched) {
                case .noMatch: return .success(nil)
                case .limitHit, .broken: return .failure(.limit)
                case .matched: break
                }
                guard let part = selection.pattern.range(of: selection.groups) else { return .success(nil) }
                range = (part.lowerBound + range.lowerBound)..<(part.upperBound + range.lowerBound)
            }
            do {
                let value =
                    fragment.isNumber && selection == nil
                    ? try reader.read(jsonNumber: bytes) : try reader.read(bytes, at: range)
                return .success(value.map { ($0, range) })
            } catch {
                return .failure(.problem((error as? ValueReader.Problem)?.description ?? "\(error)"))
            }
        }
    }

    private func read(
        _ rule: ListRule,
        _ material: Material,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>],
        _ trace: ExtractionTrace?
    ) -> Step {
        var reader = ListReader(rule: rule, material: material, trace: trace)
        for number in rule.entries.indices {
            switch reader.read(entry: number) {
            case .done, .absent: break
            case let step: return step
            }
        }
        guard !reader.found.isEmpty else { return .absent }
        spans += reader.spans
        draft.lists[rule.index] = reader.elements
        return .done
    }
}

extension Extractor {
    /// Literals of which one must occur in every text this takes; `nil` when none is certain. A text without them lacks
    /// a required field.
    var requiredLiterals: [String]? {
        var candidates = required.compactMap(Self.requiredLiterals)
        if !shapes.isEmpty {
            let sets = shapes.map { RequiredLiterals.of($0.pattern.source) }
            if let all = Self.union(sets) { candidates.append(all) }
        }
        return RequiredLiterals.best(of: candidates).map { Set($0).sorted() }
    }

    private static func requiredLiterals(_ rule: FieldRule) -> [String]? {
        union(
            rule.sources.map { source in
                switch source {
                case .pattern(let pattern, _, _): RequiredLiterals.of(pattern.source)
                case .value(.keys(let names), _, _): names.requiredLiterals
                // What JSON and embeds hold is not written in the text as it is read from them.
                case .value, .constant: nil
                }
            }
        )
    }

    private static func union(_ sets: [[String]?]) -> [String]? {
        let all = sets.compactMap { $0 }
        guard all.count == sets.count else { return nil }
        let literals = all.flatMap { $0 }
        return literals.isEmpty || literals.count > RequiredLiterals.mostAlternatives ? nil : literals
    }
}

extension Material {
    /// A range of the material's text in the text as a whole.
    func place(of range: Range<Int>) -> Range<Int> {
        (range.lowerBound + offset)..<(range.upperBound + offset)
    }

    func place(of range: Range<Int>, in fragment: Fragment) -> Range<Int>? {
        fragment.own == nil ? place(of: range) : fragment.place
    }
}

extension ValueReader {
    /// Reads a number in the notation of JSON, in which only one reading is possible.
    ///
    /// - Throws: ``Problem`` when the number is not of the field's kind.
    func read(jsonNumber bytes: UnsafeBufferPointer<UInt8>) throws(Problem) -> FieldValue? {
        let number = ExactDecimal(String(decoding: bytes, as: UTF8.self))
        switch kind {
        case .decimal: if let number { return .decimal(number) }
        case .integer: if let integer = number?.integer { return .integer(integer) }
        default: break
        }
        return try read(bytes, at: 0..<bytes.count)
    }
}
