package import Model
import PipelineFile
package import Rules

/// Pages, record types and rules that never change, so that counts of instructions over them may be compared from one
/// commit to the next. One message in five is a signal with three stops.
package enum SampleTraffic {
    private static let pipeline = """
        name: sample
        records:
          trading_signal:
            fields:
              ticker:      { type: text, required: true }
              side:        { type: enum, values: [long, short], required: true }
              entry_price: { type: decimal }
              leverage:    { type: decimal }
            lists:
              trading_stops:
                type:  { type: enum, values: [stop_loss, take_profit], required: true }
                price: { type: decimal, required: true }
        parsers: parsers/

        """

    private static let talk = [
        "good morning everyone, coffee first and then the charts",
        "closed mine at break even, not my day",
        "what does the calendar say for this afternoon?",
        "**Reminder**: the call starts at 18:00, bring your questions :wave:",
        "I would not touch that with a 10 foot pole 😂 the spread alone is 0.4%",
        "see https://example.com/notes?id=4512 for what we said last week, page 3",
        "gg",
        "looks like 42,000 holds; if it does not I am out\nno second chances this time",
    ]
    private static let tickers = ["BTCUSDT", "ETHUSDT", "XAUUSD", "EURUSD", "SOLUSDT"]

    package static func records() throws -> [RecordType] {
        let reading = PipelineReader.read(
            SourceFile(name: "sample.yaml", text: pipeline),
            folder: "/",
            environment: [:],
            resolvingSecrets: false
        )
        guard let pipeline = reading.pipeline else { throw KernelError("the sample pipeline is not valid") }
        return pipeline.records
    }

    /// The made-up rules, compiled.
    package static func rules(_ count: Int, _ records: [RecordType]) throws -> RuleSet {
        let files = DeskRules.make(count).map(\.file)
        let compilation = RuleCompiler.compile(files, records: records, channels: [], runningExamples: false)
        guard let rules = compilation.rules, !compilation.diagnostics.hasErrors else {
            throw KernelError(compilation.diagnostics.all.first?.description ?? "no rules")
        }
        return rules
    }

    /// Full pages of a hundred messages each.
    package static func pages(_ count: Int) -> [[UInt8]] {
        var random = SeededRandom(seed: 5)
        return (0..<count).map { page in
            let messages = (0..<Page.maximumMessages).map { place in
                message(page * Page.maximumMessages + place, &random)
            }
            return Array("[\(messages.joined(separator: ","))]".utf8)
        }
    }

    /// All members that Discord sends with a message of a bot's channel.
    private static func message(_ number: Int, _ random: inout SeededRandom) -> String {
        let text = number % 5 == 0 ? signal(&random) : talk.randomElement(using: &random)!
        var content = JSONWriter()
        content.value(text)
        let minute = number / 60 % 60
        let second = number % 60
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return """
            {"type":0,"content":\(content.text),"mentions":[],"mention_roles":[],"attachments":[],"embeds":[],\
            "timestamp":"2026-03-01T12:\(two(minute)):\(two(second)).123000+00:00","edited_timestamp":null,"flags":0,\
            "components":[],"id":"\(1_312_568_849_203_200_000 + number * 4096)","channel_id":"1308600000000001000",\
            "author":{"id":"208600000000000201","username":"nightjar","avatar":"8342729096ea3675442027381ff50dfe",\
            "discriminator":"0","public_flags":0,"flags":0,"banner":null,"accent_color":null,"global_name":"Night Jar",\
            "avatar_decoration_data":null,"collectibles":null,"banner_color":null,"clan":null,"primary_guild":null},\
            "pinned":false,"mention_everyone":false,"tts":false}
            """
    }

    private static func signal(_ random: inout SeededRandom) -> String {
        let ticker = tickers.randomElement(using: &random)!
        let entry = Int.random(in: 1000...9000, using: &random)
        return "\(ticker) buy\nEntry: \(entry).25\nSL: \(entry - 80)\nTP1: \(entry + 95).5\nTP2: \(entry + 210)\n5x"
    }
}

/// What the benchmarks run on is not what they expect.
package struct KernelError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
