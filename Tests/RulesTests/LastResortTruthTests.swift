import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// Real signals that no shipped rule reads, answered by a model that always tells the truth: what grounding lets
/// through must be the truth.
@Suite(.enabled(if: Project.sharedData != nil, Comment(rawValue: Project.missingSharedData)))
struct LastResortTruthTests {
    @Test func whatHoldsIsTheTruth() throws {
        let folder = try #require(Project.sharedData)
        let texts = try lines(folder, "signals.jsonl").map { $0["text"]?.string ?? "" }
        let truths = try lines(folder, "signals_truth.jsonl")
        let parsers = Project.root.appending(path: "parsers/signals").path
        let shipped = try FileManager.default.contentsOfDirectory(atPath: parsers)
        let rules = RuleCompiler.compile(
            try shipped.filter { $0.hasSuffix(".yaml") }.sorted().map { try source("parsers/signals/\($0)") },
            records: [tradingSignal],
            channels: [],
            runningExamples: false
        )
        let file = try source("examples/last-resort/parsers/last-resort.yaml")
        let resort = RuleCompiler.compile(
            [
                SourceFile(
                    name: file.name,
                    text: file.text.replacing("channels: [vip-signals]\n", with: "")
                        .replacing("status: shadow", with: "status: live")
                )
            ],
            records: [tradingSignal],
            channels: [],
            runningExamples: true
        )
        #expect(resort.messages == [])
        let lastResort = try #require(resort.rules?.lastResort)
        var tally: [String: Int] = [:]
        for (text, truth) in zip(texts, truths) {
            let asked = message(text)
            guard try #require(rules.rules).parse(asked).outcome != .parsed else { continue }
            guard let question = lastResort.question(about: asked) else {
                tally["not admitted", default: 0] += 1
                continue
            }
            let records = truth["records"]?.elements.map { $0 } ?? []
            let verdict = question.judge(TruthfulModel(question: question).answer(records))
            switch verdict {
            case .records(let read):
                let expected = records.map { TruthfulModel.outline($0) }
                #expect(read.map { TruthfulModel.outline($0) } == expected, "\(text)")
                tally["read", default: 0] += 1
            case .declined(let reason): tally["declined: \(reason.code.rawValue)", default: 0] += 1
            case .fault(let problem): Issue.record("\(problem)")
            }
        }
        print("unread signals through the last resort:", tally.sorted { $0.key < $1.key })
        #expect(tally["read", default: 0] > 0)
    }

    private func lines(_ folder: URL, _ name: String) throws -> [JSONView] {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n").map {
            try JSONDocument(String($0)).root
        }
    }
}

/// Answers with the truth, and quotes it where it finds it in the text.
private struct TruthfulModel {
    let question: Question
    private let text: [UInt8]
    /// Words, numbers, and two or three words in a row.
    private let pieces: [Range<Int>]

    init(question: Question) {
        self.question = question
        let lines = question.user.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().dropLast()
        text = Array(lines.joined(separator: "\n").utf8)
        pieces = Self.pieces(of: text)
    }

    func answer(_ records: [JSONView]) -> ModelAnswer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("records")
            writer.array { writer in for record in records { write(record, &writer) } }
        }
        return ModelAnswer(finishReason: "stop", content: writer.text)
    }

    private func write(_ truth: JSONView, _ writer: inout JSONWriter) {
        let rule = question.rule
        var taken: [Range<Int>] = []
        let list = rule.lists[0]
        var stops: [(String, Range<Int>?, JSONView)] = []
        for (type, key) in [("stop_loss", "stop_loss"), ("take_profit", "take_profit")] {
            for price in truth.member(key)?.elements.map({ $0 }) ?? [] {
                let place = place(of: price, list[1].reader!, &taken) {
                    LabelFinder(text: text).governing($0, list[0].reader!) == .text(type)
                }
                stops.append((type, place, price))
            }
        }
        stops.sort { ($0.1?.lowerBound ?? Int.max) < ($1.1?.lowerBound ?? Int.max) }
        writer.object { writer in
            for (index, field) in rule.record.fields.enumerated() {
                writer.key(field.name)
                guard let value = truth.member(field.name), !value.isNull, let reader = rule.fields[index].reader else {
                    writer.null()
                    continue
                }
                let place = place(of: value, reader, &taken) { _ in true }
                self.value(quote(place), value, &writer)
            }
            writer.key("trading_stops")
            writer.array { writer in
                for (type, place, price) in stops {
                    writer.object { writer in
                        writer.key("type")
                        writer.object { writer in
                            writer.key("quote")
                            writer.value(label(type, list[0].reader!))
                            writer.key("value")
                            writer.value(type)
                        }
                        writer.key("price")
                        value(quote(place), price, &writer)
                    }
                }
            }
        }
    }

    private func value(_ quote: String, _ value: JSONView, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("quote")
            writer.value(quote)
            writer.key("value")
            writer.raw(value.raw)
        }
    }

    private func quote(_ place: Range<Int>?) -> String {
        place.map { String(decoding: text[$0], as: UTF8.self) } ?? "nowhere"
    }

    /// A word of the text that reads as the label.
    private func label(_ value: String, _ reader: ValueReader) -> String {
        pieces.first { read($0, reader) == .text(value) && WordEdges.standsAlone($0, in: text, .enum) }.map {
            quote($0)
        }
            ?? "nowhere"
    }

    private func place(
        of value: JSONView,
        _ reader: ValueReader,
        _ taken: inout [Range<Int>],
        suits: (Range<Int>) -> Bool
    ) -> Range<Int>? {
        let wanted: FieldValue =
            value.string.map { .text($0) } ?? .decimal(ExactDecimal(value.numberLiteral ?? "0")!)
        let found = pieces.first { piece in
            read(piece, reader) == wanted && WordEdges.standsAlone(piece, in: text, reader.kind) && suits(piece)
                && !taken.contains { $0.overlaps(piece) }
        }
        if let found, value.string == nil { taken.append(found) }
        return found
    }

    private func read(_ place: Range<Int>, _ reader: ValueReader) -> FieldValue? {
        text.withUnsafeBufferPointer { try? reader.read($0, at: place) }
    }

    private static func pieces(of text: [UInt8]) -> [Range<Int>] {
        var edges: [Range<Int>] = []
        var start: Int?
        func isWord(_ byte: UInt8) -> Bool { byte >= 0x80 || byte.isASCIIWord || "/.,$%".utf8.contains(byte) }
        for (index, byte) in (text + [0x20]).enumerated() {
            if isWord(byte) {
                start = start ?? index
            } else if let begun = start {
                edges.append(begun..<index)
                start = nil
            }
        }
        var pieces: [Range<Int>] = []
        for (index, edge) in edges.enumerated() {
            pieces.append(edge)
            var inner = edge
            while let last = inner.last, !text[last].isASCIIWord, text[last] < 0x80, inner.count > 1 {
                inner = inner.lowerBound..<last
                pieces.append(inner)
            }
            // Digits and letters apart, as in `TP1` and `@100`.
            var run = edge.lowerBound
            while run < edge.upperBound {
                var end = run
                let isDigit = text[run].isASCIIDigit
                while end < edge.upperBound, text[end].isASCIIDigit == isDigit { end += 1 }
                if run..<end != edge { pieces.append(run..<end) }
                run = end
            }
            for count in 1...2 where index + count < edges.count {
                pieces.append(edge.lowerBound..<edges[index + count].upperBound)
            }
        }
        return pieces
    }

    // MARK: Comparing

    /// A record of the truth, as `name=value` in the order of the record type. What it does not name has its default.
    static func outline(_ truth: JSONView) -> [String] {
        func decimal(_ json: JSONView) -> String { ExactDecimal(json.numberLiteral ?? "0")!.description }
        var lines = tradingSignal.fields.compactMap { field -> String? in
            guard let value = truth.member(field.name), !value.isNull else {
                return field.defaultValue.map { "\(field.name)=\($0.shown)" }
            }
            return "\(field.name)=\(value.string ?? decimal(value))"
        }
        for type in ["stop_loss", "take_profit"] {
            let prices = truth.member(type)?.elements.map { decimal($0) }.sorted() ?? []
            lines.append("\(type)=\(prices)")
        }
        return lines
    }

    static func outline(_ record: Record) -> [String] {
        var lines = record.fields.map { "\($0.name)=\($0.value.shown)" }
        for type in ["stop_loss", "take_profit"] {
            let prices = record.list(named: "trading_stops").filter { $0.value(of: "type") == .text(type) }
                .compactMap { $0.value(of: "price")?.shown }
            lines.append("\(type)=\(prices.sorted())")
        }
        return lines
    }
}
