import Foundation

/// What is printed of the cases.
struct Report {
    private static let nameWidth = 59

    private(set) var lines: [String] = []
    private(set) var messages = 0
    private(set) var allHold = true

    /// Prints a case's line at once.
    mutating func add(_ one: Case, _ verdict: Oracle.Verdict, holds: Bool, remark: String, _ time: Duration) {
        func cell(_ value: some CustomStringConvertible, _ width: Int) -> String {
            let text = "\(value)"
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let numbers = [
            cell(verdict.messages, 8), cell(verdict.lost, 5), cell(verdict.surplus, 7), cell(verdict.dead, 5),
            cell(verdict.queued, 6), cell(verdict.balances ? "ok" : "off", 5),
            cell(String(format: "%.1fs", verdict.recovery.inSeconds), 8),
            cell(String(format: "%.0fs", time.inSeconds), 5),
        ]
        let notes = [verdict.note, remark].filter { !$0.isEmpty }.joined(separator: "; ")
        show("\(holds ? "holds " : "FAILS ")  \(Self.padded(one.name))  \(numbers.joined(separator: "  "))  \(notes)")
        messages += verdict.messages
        allHold = allHold && holds
    }

    mutating func skip(_ one: Case, because reason: String) {
        show("skips   \(Self.padded(one.name))  \(reason)")
    }

    private mutating func show(_ line: String) {
        print(line)
        fflush(nil)
        lines.append(line)
    }

    static func printHeader() {
        print("RESULT  \(padded("CASE"))  MESSAGES   LOST  SURPLUS   DEAD  QUEUED  BOOKS  RECOVERY   TIME")
    }

    func printTable(seed: UInt64) {
        print("")
        Self.printHeader()
        lines.forEach { print($0) }
        print("\nseed \(seed): \(lines.count) cases, \(messages) messages, \(allHold ? "all hold" : "NOT all hold")")
    }

    private static func padded(_ name: String) -> String {
        name.padding(toLength: nameWidth, withPad: " ", startingAt: 0)
    }
}
