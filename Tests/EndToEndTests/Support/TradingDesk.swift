import Foundation
import TestSupport

/// The record type of the design, and the demo's channels.
enum TradingDesk {
    static let records = """
        records:
          trading_signal:
            fields:
              ticker:      { type: text, required: true }
              side:        { type: enum, values: [long, short], required: true }
              status:      { type: enum, values: [opened, closed], default: opened }
              entry_type:  { type: enum, values: [market, limit], default: market }
              entry_price: { type: decimal }
              entry_high:  { type: decimal }
              leverage:    { type: decimal }
              risk:        { type: decimal }
            lists:
              trading_stops:
                type:  { type: enum, values: [stop_loss, take_profit], required: true }
                price: { type: decimal, required: true }
            check:
              - entry_price > 0
              - trading_stops.price > 0
              - entry_price or trading_stops
        """

    static let rules = Project.root.appending(path: "parsers/signals/trading-signals.yaml")

    static func channels(_ ids: [String]) -> String {
        "channels:\n"
            + ids.enumerated().map { "  - { name: channel-\($0 + 1), id: \"\($1)\", since: 2024-01-01 }\n" }.joined()
    }

    /// The ids of the channels in a recording.
    static func channelIDs(in recording: URL) throws -> [String] {
        var ids: [String] = []
        let text = try String(contentsOf: recording, encoding: .utf8)
        for match in text.matches(of: /"channel_id":"(\d+)"/) where !ids.contains(String(match.1)) {
            ids.append(String(match.1))
        }
        return ids
    }
}
