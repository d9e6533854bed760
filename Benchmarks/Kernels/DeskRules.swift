package import PipelineFile

/// Made-up rules of the usual size, each for a desk with names of its own: what a pipeline of many channels collects.
///
/// The first ten know names that real messages are full of, so that there is work to do; the names of the others do
/// not occur, as those of a thousand unrelated rules do not.
package struct DeskRules {
    package struct Desk {
        package var file: SourceFile
        /// The patterns of its required fields, for the loop that knows nothing better than to try them.
        package var required: [String]
    }

    private static let real = [
        "XAUUSD|GOLD", "BTCUSDT|BTC/USDT", "ETHUSDT|ETH/USDT", "NDX|SPX", "EURUSD|GBPUSD", "USDJPY|AUDUSD",
        "SOLUSDT|SOL/USDT", "NAS100|US30", "GBPJPY|EURJPY", "BNBUSDT|DOGEUSDT",
    ]

    package static func make(_ count: Int) -> [Desk] {
        var random = SeededRandom(seed: 11)
        return (0..<count).map { number in
            let names = number < real.count ? real[number] : Self.names(&random)
            return desk(number, names)
        }
    }

    private static func names(_ random: inout SeededRandom) -> String {
        let letters = Array("BCDFGHJKLMNPQRSTVWXZ")
        return (0..<4).map { _ in
            String((0..<6).map { _ in letters.randomElement(using: &random)! })
        }.joined(separator: "|")
    }

    private static func desk(_ number: Int, _ names: String) -> Desk {
        let ticker = #"\b(?<value>\#(names))\b"#
        let side = #"\b(?<value>buy|sell|long|short)\b"#
        let yaml = #"""
            parser: desk-\#(number)
            record: trading_signal
            priority: \#(number)
            define:
              num: '(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?[kKmM]?'
            fields:
              ticker: { match: '\#(ticker)' }
              side: { match: '\#(side)', map: { buy: long, sell: short } }
              entry_price:
                - { match: '\bentry(?: price)?\W{0,4}(?<value>%{num})' }
                - { match: '(?:buy|sell|long|short)\W{1,3}(?<value>%{num})' }
              leverage: { match: '\b(?<value>\d{1,3})x\b' }
            lists:
              trading_stops:
                - { match: '^\W{0,6}(?:SL|stop ?loss)\W{0,4}(?<price>%{num})', set: { type: stop_loss } }
                - { match: '^\W{0,6}(?:TP|target)[ \t]?\d?\W{1,4}(?<price>%{num})', set: { type: take_profit } }
            check: [ "side != 'long' or trading_stops.stop_loss.price < entry_price" ]

            """#
        return Desk(file: SourceFile(name: "desk-\(number).yaml", text: yaml), required: [ticker, side])
    }
}
