import Model
import Testing

@Suite struct ExactDecimalTests {
    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("1.50", "1.5"), ("007", "7"), ("68500", "68500"), ("6.85e4", "68500"),
        ("1E-3", "0.001"), ("-12.340", "-12.34"), ("+3", "3"), ("0.000000000000000001", "0.000000000000000001"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"), ("1e+2", "100"),
        ("0e999", "0"), ("100000000000000000000", "100000000000000000000"),
    ])
    func readsAndPrintsEveryDigit(text: String, expected: String) {
        #expect(ExactDecimal(text)?.description == expected)
    }

    @Test(arguments: [
        "", "-", ".", "1.", "e5", "1e", "1e+", "1.2.3", "1,5", " 1", "1 ", "0x10", "1e5.5", "--1", "1-",
        "999999999999999999999999999999999999999", "1e39", "1e-39", "∞",
    ])
    func refusesTheRest(text: String) {
        #expect(ExactDecimal(text) == nil)
    }

    @Test(arguments: [("1.5", "1.50"), ("1e2", "100"), ("-0", "0")])
    func equalNumbersAreEqualValues(left: String, right: String) {
        #expect(ExactDecimal(left) == ExactDecimal(right))
    }

    @Test(arguments: [
        ("1", "2"), ("-2", "-1"), ("-1", "0.5"), ("0.1", "0.11"), ("9.99", "10"), ("-10", "-9.99"),
        ("0.00000000000000000000000000000000000001", "99999999999999999999999999999999999999"),
        ("-99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001"),
        ("-99999999999999999999999999999999999999", "-0.00000000000000000000000000000000000001"),
    ])
    func orders(smaller: String, larger: String) throws {
        let left = try #require(ExactDecimal(smaller))
        let right = try #require(ExactDecimal(larger))
        #expect(left < right)
        #expect(!(right < left))
    }

    @Test func calculatesExactlyOrNotAtAll() throws {
        let tenth = try #require(ExactDecimal("0.1"))
        #expect(tenth.adding(try #require(ExactDecimal("0.2"))) == ExactDecimal("0.3"))
        #expect(tenth.subtracting(ExactDecimal(1)) == ExactDecimal("-0.9"))
        #expect(tenth.multiplied(by: tenth) == ExactDecimal("0.01"))
        #expect(ExactDecimal(1).divided(by: ExactDecimal(8)) == ExactDecimal("0.125"))
        #expect(ExactDecimal(1).divided(by: ExactDecimal(3)) == ExactDecimal("0.333333333333333333"))
        #expect(ExactDecimal(1).divided(by: ExactDecimal(0)) == nil)
        let large = try #require(ExactDecimal("99999999999999999999999999999999999999"))
        #expect(large.multiplied(by: large) == nil)
        #expect(large.adding(ExactDecimal(1)) == nil)
        #expect(ExactDecimal("12.0")?.integer == 12)
        #expect(ExactDecimal("12.5")?.integer == nil)
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        ("2024-12-01", "2024-12-01T00:00:00Z"), ("2025-09-16T16:30:05.904000+00:00", "2025-09-16T16:30:05.904000Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"), ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"), ("2026-01-01 00:30", "2026-01-01T00:30:00Z"),
        ("2000-03-01T00:00:00.123456789Z", "2000-03-01T00:00:00.123456Z"), ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("2026-06-01T12:00:00-0530", "2026-06-01T17:30:00Z"),
    ])
    func readsAndPrints(text: String, expected: String) {
        #expect(Timestamp(iso8601: text)?.iso8601 == expected)
    }

    @Test(arguments: [
        "", "2024", "2024-13-01", "2023-02-29", "2024-12-01T25:00", "2024-12-01T12:60", "2024-12-01Z+", "2024-12-1",
        "2024-12-01T12:00:00+1", "2024-12-01T12:00:00.Z", "yesterday", "2024-12-01T12:00:00 Z",
    ])
    func refusesTheRest(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test func everyDayOfFourCenturiesSurvives() throws {
        let first = try #require(Timestamp(iso8601: "1900-01-01")).microseconds
        for day in 0..<146_097 {
            let instant = Timestamp(microseconds: first + Int64(day) * 86_400_000_000)
            #expect(Timestamp(iso8601: instant.iso8601) == instant)
        }
    }
}

@Suite struct SnowflakeTests {
    @Test func knowsItsTime() throws {
        // The example of Discord's reference.
        let id = try #require(Snowflake("175928847299117063"))
        #expect(id.timestamp.iso8601 == "2016-04-30T11:18:25.796000Z")
    }

    @Test func fromADateInclusive() throws {
        let date = try #require(Timestamp(iso8601: "2024-12-01"))
        let before = Snowflake(justBefore: date)
        #expect(Snowflake(before.rawValue + 1).timestamp == date)
        #expect(before.timestamp < date)
        #expect(Snowflake(justBefore: Timestamp(microseconds: 0)).rawValue == 0)
    }

    @Test func stepsBackButNotBelowZero() {
        let id = Snowflake(175_928_847_299_117_063)
        #expect(id.timestamp.microseconds - id.earlier(bySeconds: 5).timestamp.microseconds == 5_000_000)
        #expect(Snowflake(5).earlier(bySeconds: 5).rawValue == 0)
    }

    @Test(arguments: ["", "-1", "1.5", "abc", "9223372036854775808", "123456789012345678901", " 1", "1 "])
    func refusesWhatIsNoID(text: String) {
        #expect(Snowflake(text) == nil)
    }
}

@Suite struct BackoffTests {
    @Test func doublesUpToTheMaximumWithJitter() {
        var backoff = Backoff(initial: .milliseconds(500), factor: 2, maximum: .seconds(30), jitter: 0.2)
        let middle = (0..<9).map { _ in backoff.next(random: 0.5) }
        #expect(Array(middle[0..<7]) == [0.5, 1, 2, 4, 8, 16, 30].map { Duration.seconds($0) })
        #expect(middle.last == .seconds(30))
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(400))
        #expect(backoff.next(random: 1) == .milliseconds(1200))
    }
}
