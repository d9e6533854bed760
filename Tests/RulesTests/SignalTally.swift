import Foundation
import Model
import TestSupport
import Testing

@testable import Rules

/// Counts signals as read, missed and wrong: by ticker, side, entry, stops and targets, and by the number of records.
struct SignalTally {
    private(set) var signals = 0
    private(set) var right = 0
    private(set) var missed: [String] = []
    private(set) var wrong: [String] = []

    /// - Parameter expected: The hand-made label's records: fields as the record has them, stops and targets as lists
    ///   of prices under `stop_loss` and `take_profit`.
    mutating func add(_ text: String, got: [Record], expected: JSONView?) {
        let truth = expected?.elements.map { Self.summary($0) } ?? []
        let summaries = got.map { Self.summary($0) }
        if !truth.isEmpty { signals += 1 }
        if summaries == truth {
            if !truth.isEmpty { right += 1 }
        } else if got.isEmpty {
            missed.append(text)
        } else {
            wrong.append("\(text)\n  got      \(summaries)\n  expected \(truth)")
        }
    }

    private static let keys = ["ticker", "side", "entry_price", "entry_high"]

    private static func summary(_ json: JSONView) -> String {
        let fields = keys.compactMap { key -> String? in
            guard let value = json.member(key) else { return nil }
            let number = value.numberLiteral.flatMap { ExactDecimal($0)?.description }
            return "\(key)=\(value.string ?? number ?? "?")"
        }
        let stops = ["stop_loss", "take_profit"].map { key in
            var prices: [String] = []
            if let list = json.member(key) {
                for price in list.elements {
                    prices.append(ExactDecimal(price.numberLiteral ?? "")?.description ?? "?")
                }
            }
            return "\(key)=\(prices.joined(separator: ","))"
        }
        return (fields + stops).joined(separator: " ")
    }

    private static func summary(_ record: Record) -> String {
        guard record.type == "trading_signal" else { return record.short }
        let fields = keys.compactMap { key in record.value(of: key).map { "\(key)=\($0.shown)" } }
        let stops = ["stop_loss", "take_profit"].map { type in
            let prices = record.list(named: "trading_stops").filter { $0.value(of: "type") == .text(type) }
                .compactMap { $0.value(of: "price")?.shown }
            return "\(type)=\(prices.joined(separator: ","))"
        }
        return (fields + stops).joined(separator: " ")
    }
}

func sharedLines(_ name: String) throws -> [Substring] {
    let folder = try #require(Project.sharedData)
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
}

/// The lines of a file in this target's `Fixtures`.
func fixtureLines(_ name: String) throws -> [Substring] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
}
