import Model
import Processes
import Testing

@testable import Supervision

@Suite struct LineSplitterTests {
    private func lines(_ chunks: [String], maximum: Int, _ overflow: LineSplitter.Overflow) -> ([String], Int) {
        var splitter = LineSplitter(maximum: maximum, overflow: overflow)
        var lines: [String] = []
        for chunk in chunks { splitter.append(Array(chunk.utf8)) { lines.append(String(decoding: $0, as: UTF8.self)) } }
        splitter.finish { lines.append(String(decoding: $0, as: UTF8.self)) }
        return (lines, splitter.discarded)
    }

    @Test func putsChunksTogether() {
        #expect(lines(["a", "b\nc\n", "\nd"], maximum: 10, .split) == (["ab", "c", "", "d"], 0))
    }

    @Test func splitsWhatIsTooLongButNoCharacter() {
        #expect(lines(["abcdefgh\n"], maximum: 3, .split) == (["abc", "def", "gh"], 0))
        #expect(lines(["ab€cd\n"], maximum: 4, .split) == (["ab", "€c", "d"], 0))
        #expect(lines(["aä€\n"], maximum: 6, .split) == (["aä€"], 0))
    }

    /// Thousands of lines wait in a ring that counts their bytes.
    @Test func aShortLineAfterALongOneTakesNoMoreRoomThanItNeeds() {
        var splitter = LineSplitter(maximum: 16 * 1024, overflow: .split)
        var room = 0
        splitter.append([UInt8](repeating: 0x78, count: 16 * 1024) + Array("\na\n".utf8)) { room = $0.capacity }
        #expect(room < 256)
    }

    @Test func discardsWhatIsTooLongAndCountsIt() {
        #expect(lines(["abcd\nab\n", "abcde", "f\nc\n"], maximum: 3, .discard) == (["ab", "c"], 2))
    }
}

@Suite struct LogFormatterTests {
    private let source = LogSource(worker: "parse", replica: 2, pid: 42, stream: "stderr")
    private let time = Timestamp(iso8601: "2026-01-02T03:04:05.678901Z")!

    private func json(_ line: String) -> String {
        let formatter = LogFormatter(text: false, colour: false)
        return String(decoding: formatter.format(Array(line.utf8), from: source, at: time), as: UTF8.self)
    }

    private func text(_ line: String, colour: Bool = false) -> String {
        let formatter = LogFormatter(text: true, colour: colour)
        return String(decoding: formatter.format(Array(line.utf8), from: source, at: time), as: UTF8.self)
    }

    @Test(arguments: [
        (
            #"{"time":"x","level":"warning","message":"m","n":1.50}"#,
            #"{"worker":"parse","replica":2,"pid":42,"time":"x","level":"warning","message":"m","n":1.50}"#
        ),
        (
            #" { "message" : "m" }"#,
            #"{"worker":"parse","replica":2,"pid":42,"time":"2026-01-02T03:04:05.678901Z","level":"info", "#
                + #""message" : "m" }"#
        ),
        (
            "{}", #"{"worker":"parse","replica":2,"pid":42,"time":"2026-01-02T03:04:05.678901Z","level":"info"}"#
        ),
        (
            "plain \"text\"\t{",
            #"{"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"plain \"text\"\t{","#
                + #""worker":"parse","replica":2,"pid":42,"stream":"stderr"}"#
        ),
    ])
    func jsonLines(line: String, expected: String) throws {
        #expect(json(line) == expected + "\n")
        _ = try JSONDocument(json(line))
    }

    @Test func aLineThatIsNotUTF8IsRepaired() throws {
        let formatter = LogFormatter(text: false, colour: false)
        let line = formatter.format([0x61, 0xff, 0x62], from: source, at: time)
        #expect(try JSONDocument(line).root["message"]?.string == "a\u{fffd}b")
    }

    @Test func textLinesAreAligned() {
        #expect(text("hello") == "03:04:05.678 INFO    parse/2        hello\n")
        #expect(
            text(#"{"time":"2026-01-02T00:00:00Z","level":"error","message":"m","a":"b c","n":1}"#)
                == "00:00:00.000 ERROR   parse/2        m  a=\"b c\"  n=1\n"
        )
    }

    @Test func nothingAChildPrintsReachesTheTerminalAsAnEscape() {
        #expect(!text("a\u{1b}[2J\u{7}b").contains("\u{1b}"))
        #expect(!text(#"{"message":"\u001b[2J","k":"\u001b[2J"}"#).contains("\u{1b}"))
        #expect(text("a", colour: true).contains("\u{1b}[32mINFO"))
    }
}

@Suite struct LogBufferTests {
    private func line(_ text: String) -> LogBuffer.Line {
        LogBuffer.Line(bytes: Array(text.utf8), time: Timestamp(microseconds: 0))
    }

    private func text(_ lines: [LogBuffer.Line]) -> String {
        String(decoding: lines.flatMap(\.bytes), as: UTF8.self)
    }

    @Test func keepsTheOrderAcrossChildren() {
        var buffer = LogBuffer()
        for (text, source) in [("1", "a"), ("2", "b"), ("3", "a")] { buffer.append([line(text)], to: source) }
        #expect(text(buffer.take(1000).lines) == "123")
        #expect(buffer.isEmpty)
        // Several at once keep their place too, also when they are taken in parts.
        buffer.append(["1", "2", "3"].map { line($0) }, to: "a")
        buffer.append(["4", "5"].map { line($0) }, to: "b")
        buffer.append([], to: "c")
        buffer.append([line("6")], to: "a")
        #expect(text(buffer.take(2).lines) == "12")
        #expect(text(buffer.take(2).lines) == "34")
        #expect(text(buffer.take(1000).lines) == "56")
    }

    @Test func dropsTheOldestOfTheLoudAndNothingOfTheQuiet() {
        var buffer = LogBuffer(maximumBytes: 5 * (2 + LogBuffer.Line.overhead))
        buffer.append([line("q")], to: "quiet")
        for number in 0..<100 { buffer.append([line("\(number % 10)x")], to: "loud") }
        #expect(buffer.droppedInAll == 95)
        let (lines, dropped) = buffer.take(1000)
        #expect(text(lines) == "q5x6x7x8x9x")
        #expect(dropped == [LogBuffer.Dropped(source: "loud", lines: 95)])
        #expect(buffer.take(1000).dropped.isEmpty)
    }

    @Test func takesAboutAsMuchAsAsked() {
        var buffer = LogBuffer()
        for _ in 0..<5000 { buffer.append([line("0123456789")], to: "a") }
        #expect(buffer.take(95).lines.count == 10)
        #expect(buffer.take(1 << 20).lines.count == 4990)
    }
}

@Suite struct LogSinkTests {
    @Test func followsOtherSettings() throws {
        let (read, write) = try Descriptor.pipe()
        let sink = try LogSink(LogSettings(format: .json, level: .info, descriptor: write.number))
        sink.write(TreeLogLine(level: .debug, message: "one"))
        sink.write(TreeLogLine(level: .info, message: "two"))
        sink.follow(LogSettings(format: .text, colour: false, level: .debug, descriptor: write.number))
        sink.write(TreeLogLine(level: .debug, message: "three"))
        sink.close(within: .seconds(60))
        guard case .bytes(let bytes) = read.read(upTo: 4096) else { throw SupervisionError("nothing was written") }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        try #require(lines.count == 2)
        #expect(try JSONDocument(Array(lines[0].utf8)).root["message"]?.string == "two")
        #expect(lines[1].hasSuffix("DEBUG   supervisor     three"))
    }
}
