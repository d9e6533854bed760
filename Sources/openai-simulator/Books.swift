import Model
import SimulatorKit

/// What was asked and answered, counted.
struct Books: Sendable {
    private(set) var requests = 0
    private(set) var byStatus: [String: Int] = [:]
    /// Completions by the text of their message.
    private(set) var byText: [String: Int] = [:]
    private(set) var tokens = 0
    /// Requests under way, now and at most.
    private(set) var underWay = 0
    private(set) var mostUnderWay = 0
    /// Requests that came before the time a 429 had named.
    private(set) var tooEarly = 0

    mutating func begin(isPaused: Bool) {
        requests += 1
        underWay += 1
        mostUnderWay = max(mostUnderWay, underWay)
        if isPaused { tooEarly += 1 }
    }

    mutating func end() {
        underWay -= 1
    }

    mutating func count(_ answer: Answer) {
        byStatus[answer.countedAs, default: 0] += 1
    }

    mutating func asked(_ text: String) {
        byText[text, default: 0] += 1
    }

    mutating func spent(_ count: Int) {
        tokens += count
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            let counts = [
                ("requests", requests), ("completions", byText.values.reduce(0, +)), ("distinct", byText.count),
                ("most_for_one", byText.values.max() ?? 0), ("tokens", tokens), ("most_under_way", mostUnderWay),
                ("too_early", tooEarly),
            ]
            for (key, value) in counts {
                writer.key(key)
                writer.value(value)
            }
            writer.key("by_status")
            writer.object { writer in
                for (status, count) in byStatus.sorted(by: { $0.key < $1.key }) {
                    writer.key(status)
                    writer.value(count)
                }
            }
        }
    }
}
