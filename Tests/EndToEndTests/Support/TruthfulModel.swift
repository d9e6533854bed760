import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// Answers with the truth, and quotes it where it finds it in the text.
struct TruthfulModel {
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
    static func outline(_ truth: JSONView, of record: RecordType) -> [String] {
        func decimal(_ json: JSONView) -> String { ExactDecimal(json.numberLiteral ?? "0")!.description }
        var lines = record.fields.compactMap { field -> String? in
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

/// A real signal that no shipped rule reads, what the truthful model answers about it, and what must come of that.
struct UnreadSignal {
    let text: String
    let question: Question
    let answer: ModelAnswer
    let verdict: LastResortVerdict
    /// The true records.
    let truth: [[String]]

    /// The example's rule file, live.
    static func lastResortFile() throws -> String {
        try text("examples/last-resort/parsers/last-resort.yaml").replacing("status: shadow", with: "status: live")
    }

    static func all(in folder: URL) throws -> [UnreadSignal] {
        let pipeline = SourceFile(name: "pipeline.yaml", text: try text("examples/last-resort/pipeline.yaml"))
        let reading = PipelineReader.read(pipeline, folder: "/", environment: [:], resolvingSecrets: false)
        let records = try #require(reading.pipeline).records
        let shipped = try FileManager.default.contentsOfDirectory(atPath: Project.root.appending(path: signals).path)
        let rules = try rules(
            shipped.sorted().filter { $0.hasSuffix(".yaml") }.map { ($0, try text("\(signals)/\($0)")) },
            records
        )
        let file = try lastResortFile().replacing("channels: [vip-signals]\n", with: "")
        let lastResort = try Self.rules([("last-resort.yaml", file)], records).lastResort
        var unread: [UnreadSignal] = []
        for (text, truth) in zip(try lines(folder, "signals.jsonl"), try lines(folder, "signals_truth.jsonl")) {
            let text = text["text"]?.string ?? ""
            let asked = try message(text)
            guard rules.parse(asked).outcome != .parsed, let question = lastResort.question(about: asked) else {
                continue
            }
            let records = truth["records"]?.elements.map { $0 } ?? []
            let answer = TruthfulModel(question: question).answer(records)
            unread.append(
                UnreadSignal(
                    text: text,
                    question: question,
                    answer: answer,
                    verdict: question.judge(answer),
                    truth: records.map { TruthfulModel.outline($0, of: question.rule.record) }
                )
            )
        }
        return unread
    }

    private static let signals = "parsers/signals"

    private static func rules(_ files: [(String, String)], _ records: [RecordType]) throws -> RuleSet {
        let compilation = RuleCompiler.compile(
            files.map { SourceFile(name: $0.0, text: $0.1) },
            records: records,
            channels: [],
            runningExamples: false
        )
        try #require(compilation.diagnostics.errors.isEmpty)
        return try #require(compilation.rules)
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: Project.root.appending(path: path), encoding: .utf8)
    }

    private static func message(_ content: String) throws -> Message {
        var writer = JSONWriter()
        writer.value(content)
        let json = #"{"id":"1","channel_id":"1","type":0,"timestamp":"2026-03-01T12:00:00Z","content":\#(writer.text)}"#
        return try Message(JSONDocument(json).root)
    }

    private static func lines(_ folder: URL, _ name: String) throws -> [JSONView] {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n").map {
            try JSONDocument(String($0)).root
        }
    }
}

extension FieldValue {
    fileprivate var shown: String {
        switch self {
        case .text(let value), .json(let value): value
        case .integer(let value): "\(value)"
        case .decimal(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .timestamp(let value): "\(value)"
        }
    }
}
