internal import Model

/// Judges an answer, step by step, in the order of the rule language: the model came to an end, it did not refuse, what
/// it says is JSON, holds to the schema, is written in the message, and passes every check. The first step that fails
/// decides. (The step before these, that HTTP is fine, is the client's.)
///
/// Nothing the server promises is believed: compatible servers may take a schema and ignore it.
struct AnswerJudge {
    let rule: LastResortRule
    /// Normalised.
    let text: [UInt8]

    /// More is no message a person wrote.
    private static let mostRecords = 50

    func judge(_ answer: ModelAnswer) -> LastResortVerdict {
        switch answer.finishReason {
        case "stop": break
        case "content_filter": return .declined(DeclineReason(.refused, "the server's content filter"))
        case let other: return .fault("the answer ended by '\(Self.shown(other))', not 'stop'")
        }
        if let refusal = answer.refusal, !refusal.isEmpty {
            return .declined(DeclineReason(.refused, Self.shown(refusal)))
        }
        let document: JSONDocument
        do {
            document = try JSONDocument(answer.content)
        } catch {
            if Self.isUnfinished(answer.content) { return .fault("the answer's JSON is cut short") }
            return .declined(DeclineReason(.notJSON, "it is \(error)"))
        }
        do throws(DeclineReason) {
            let records = try drafts(document.root).map { $0.record(rule.record) }
            guard !records.isEmpty else { return .declined(DeclineReason(.noRecord)) }
            // A model that repeats itself must not become rows.
            if let again = records.indices.first(where: { records[..<$0].contains(records[$0]) }) {
                return .declined(DeclineReason(.ungrounded, "records[\(again)] says the same as one before it"))
            }
            return .records(records)
        } catch {
            return .declined(error)
        }
    }

    private func drafts(_ root: JSONView) throws(DeclineReason) -> [RecordDraft] {
        let shape = AnswerShape(record: rule.record, fields: rule.fields, lists: rule.lists)
        let answers = try AnswerReader(shape: shape).read(root)
        guard answers.count <= Self.mostRecords else {
            throw DeclineReason(.schema, "it has more than \(Self.mostRecords) records")
        }
        var drafts: [RecordDraft] = []
        var grounding = Grounding(text: text, normalization: rule.normalization, answers, shape)
        for answer in answers {
            var draft = try grounding.ground(answer)
            setConstants(&draft)
            draft.fillDefaults(rule.record)
            if let broken = rule.checks.first(where: { !$0.holds(for: draft) }) {
                throw DeclineReason(.check, broken.source)
            }
            drafts.append(draft)
        }
        try grounding.checkApart()
        return drafts
    }

    private func setConstants(_ draft: inout RecordDraft) {
        for (index, slot) in rule.fields.enumerated() {
            if case .constant(let value) = slot { draft.fields[index] = value }
        }
        for list in rule.lists.indices {
            for (index, slot) in rule.lists[list].enumerated() {
                guard case .constant(let value) = slot else { continue }
                for element in draft.lists[list].indices { draft.lists[list][element].fields[index] = value }
            }
        }
    }

    /// Whether a text that is no JSON began as an object and broke off inside it.
    static func isUnfinished(_ text: String) -> Bool {
        guard text.utf8.first(where: { !$0.isASCIISpace }) == UInt8(ascii: "{") else { return false }
        var depth = 0
        var inString = false
        var isEscaped = false
        for byte in text.utf8 {
            if inString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth == 0 { return false }
        }
        return true
    }

    /// A text of the server's, short enough for a reason and without what would steer a terminal.
    static func shown(_ text: String) -> String {
        let line = String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(400).map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator: " "
                    default: scalar
                    }
                }
            )
        )
        return line.count > 80 ? line.prefix(79) + "…" : line
    }
}
