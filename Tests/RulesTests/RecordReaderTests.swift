import Model
import Testing

@testable import Rules

/// Records that no rule made are held to what rules' records are held to.
@Suite struct RecordReaderTests {
    private static let signal = RecordType(
        name: "signal",
        fields: [
            FieldType(name: "ticker", kind: .text, required: true),
            FieldType(name: "side", kind: .enum, values: ["long", "Short"]),
            FieldType(name: "status", kind: .enum, values: ["opened", "closed"], defaultValue: .text("opened")),
            FieldType(name: "price", kind: .decimal),
            FieldType(name: "count", kind: .integer),
            FieldType(name: "sure", kind: .boolean),
            FieldType(name: "at", kind: .timestamp),
            FieldType(name: "extra", kind: .json),
        ],
        lists: [
            ListType(
                name: "stops",
                fields: [
                    FieldType(name: "kind", kind: .enum, required: true, values: ["sl", "tp"]),
                    FieldType(name: "price", kind: .decimal, required: true),
                ]
            )
        ],
        checks: ["price > 0", "stops.price > 0"]
    )

    private func read(_ json: String) throws -> Record {
        try RecordReader(records: [Self.signal]).read(JSONDocument(json).root)
    }

    @Test func everyKindIsReadExactly() throws {
        let record = try read(
            """
            {"record": "signal",
             "fields": {"ticker": "  BTC\\n", "side": "SHORT", "price": 68500.10, "count": 3.0, "sure": false,
                        "at": "2024-12-01T10:00:00+02:00", "extra": {"a": [1,  2]}},
             "lists": {"stops": [{"kind": "sl", "price": "0.12345678901234567890"}, {"kind": "TP", "price": 1e3}]}}
            """
        )
        #expect(record.type == "signal")
        #expect(record.value(of: "ticker") == .text("BTC"))
        #expect(record.value(of: "side") == .text("Short"))
        #expect(record.value(of: "status") == .text("opened"))
        #expect(record.value(of: "price") == ExactDecimal("68500.1").map { .decimal($0) })
        #expect(record.value(of: "count") == .integer(3))
        #expect(record.value(of: "sure") == .boolean(false))
        #expect(record.value(of: "at") == Timestamp(iso8601: "2024-12-01T08:00:00Z").map { .timestamp($0) })
        #expect(record.value(of: "extra") == .json(#"{"a":[1,2]}"#))
        let stops = record.list(named: "stops")
        #expect(stops.map { $0.value(of: "kind") } == [.text("sl"), .text("tp")])
        #expect(stops[0].value(of: "price") == ExactDecimal("0.1234567890123456789").map { .decimal($0) })
        #expect(stops[1].value(of: "price") == .decimal(ExactDecimal(1000)))
    }

    @Test func absentEmptyAndNullAreTheSame() throws {
        let record = try read(
            #"{"record":"signal","fields":{"ticker":"X","side":null,"price":null,"extra":null},"lists":{"stops":null}}"#
        )
        #expect(record == (try read(#"{"record":"signal","fields":{"ticker":"X","side":" "}}"#)))
        #expect(record.fields.map(\.name) == ["ticker", "status"])
        #expect(record.lists.isEmpty)
    }

    @Test(arguments: [
        (#"[]"#, "a record is a JSON object"),
        (#"{"fields":{}}"#, "'record' is missing: the name of its type"),
        (#"{"record":"signl"}"#, "there is no record type 'signl'; those declared are: signal"),
        (#"{"record":"signal","field":{}}"#, "a record has no member 'field', only record, fields and lists"),
        (#"{"record":"signal"}"#, "'signal.ticker' is required and missing"),
        (#"{"record":"signal","fields":{"ticker":""}}"#, "'signal.ticker' is required and missing"),
        (#"{"record":"signal","fields":[]}"#, "'signal' is not an object"),
        (#"{"record":"signal","fields":{"ticker":"X","prize":1}}"#, "'signal' has no field 'prize'"),
        (#"{"record":"signal","fields":{"ticker":"X","price":1,"price":2}}"#, "'signal' has 'price' twice"),
        (#"{"record":"signal","fields":{"ticker":5}}"#, "'signal.ticker' is 5, not a string"),
        (
            #"{"record":"signal","fields":{"ticker":"X","side":"up"}}"#,
            #"'signal.side' is "up", not one of long, Short"#
        ),
        (
            #"{"record":"signal","fields":{"ticker":"X","price":"68,500"}}"#,
            #"'signal.price' is "68,500", not a number of at most 38 digits, or a string that holds one"#
        ),
        (#"{"record":"signal","fields":{"ticker":"X","count":1.5}}"#, "'signal.count' is 1.5, not a whole number"),
        (#"{"record":"signal","fields":{"ticker":"X","count":"1"}}"#, #"'signal.count' is "1", not a whole number"#),
        (#"{"record":"signal","fields":{"ticker":"X","sure":"yes"}}"#, #"'signal.sure' is "yes", not true or false"#),
        (
            #"{"record":"signal","fields":{"ticker":"X","at":"11/10"}}"#,
            #"'signal.at' is "11/10", not a string with an ISO 8601 time"#
        ),
        (
            #"{"record":"signal","fields":{"ticker":"X","extra":"a"}}"#,
            #"'signal.extra' is "a", not an array or an object"#
        ),
        (#"{"record":"signal","fields":{"ticker":"X"},"lists":{"stop":[]}}"#, "'signal' has no list 'stop'"),
        (#"{"record":"signal","fields":{"ticker":"X"},"lists":{"stops":{}}}"#, "'signal.stops' is not an array"),
        (#"{"record":"signal","fields":{"ticker":"X"},"lists":{"stops":[1]}}"#, "'signal.stops[0]' is not an object"),
        (
            #"{"record":"signal","fields":{"ticker":"X"},"lists":{"stops":[{"kind":"sl","price":1},{"kind":"tp"}]}}"#,
            "'signal.stops[1].price' is required and missing"
        ),
    ])
    func whatIsNoRecordIsRefused(json: String, reason: String) throws {
        #expect(throws: RecordReader.Refusal(cause: .shape, description: reason)) { try read(json) }
    }

    @Test(arguments: [
        (#"{"record":"signal","fields":{"ticker":"X","price":0}}"#, "check failed: price > 0"),
        (
            #"{"record":"signal","fields":{"ticker":"X"},"lists":{"stops":[{"kind":"sl","price":-1}]}}"#,
            "check failed: stops.price > 0"
        ),
    ])
    func whatAChecksRejectsIsRefused(json: String, reason: String) throws {
        #expect(throws: RecordReader.Refusal(cause: .check, description: reason)) { try read(json) }
    }

    @Test func aListHasAnEnd() throws {
        let element = #"{"kind":"sl","price":1}"#
        let many = Array(repeating: element, count: 1001).joined(separator: ",")
        #expect(
            throws: RecordReader.Refusal(cause: .shape, description: "'signal.stops' has more than 1000 elements")
        ) {
            try read(#"{"record":"signal","fields":{"ticker":"X"},"lists":{"stops":[\#(many)]}}"#)
        }
    }
}
