import Foundation
import Model

/// The option alerts of the shared data and the rows their labels ask for.
enum OptionAlerts {
    static let records = """
        records:
          option_alert:
            fields:
              alert_type: { type: enum, values: [call, put, exit], required: true }
              ticker: { type: text, required: true }
              price: { type: decimal, required: true }
              alert_time: { type: timestamp, required: true }
        """

    /// Content, alert type, ticker, price and time of every message.
    static func labels(in file: URL) throws -> [[String]] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let json = try JSONDocument(String(line)).root
            let labels = json["labels"]
            let price = labels?["price"]?.numberLiteral.flatMap { ExactDecimal($0) }
            return [
                json["content"]?.string ?? "", labels?["alert_type"]?.string ?? "", labels?["ticker"]?.string ?? "",
                price?.description ?? "", labels?["alert_time"]?.string ?? "",
            ]
        }
    }
}
