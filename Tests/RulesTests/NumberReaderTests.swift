import Model
import Testing

@testable import Rules

@Suite("NumberReader")
struct NumberReaderTests {
    @Test(
        "reads what can be read only one way",
        arguments: [
            ("68500", "68500"), ("68,500", "68500"), ("1,234.5", "1234.5"), ("1,234,567.89", "1234567.89"),
            ("68.5k", "68500"), ("68.5K", "68500"), ("1.25m", "1250000"), ("2M", "2000000"), ("0.0000451", "0.0000451"),
            (".5", "0.5"), ("007", "7"), ("-3.5", "-3.5"), ("+3", "3"), ("−4", "-4"), (" 42 ", "42"),
            ("\u{A0}42", "42"),
            ("$1,200", "1200"), ("-$5", "-5"), ("$-5", "-5"), ("€ 12.5", "12.5"), ("1.234", "1.234"),
            ("4500.00", "4500"),
            ("0", "0"), ("12345678901234567890.123456789", "12345678901234567890.123456789"), ("0.5k", "500"),
        ]
    )
    func reads(text: String, expected: String) {
        #expect(NumberReader().read(text)?.description == expected)
    }

    @Test(
        "refuses what is no number, or two",
        arguments: [
            "", " ", "-", "$", "k", ".", ",", "abc", "1.234,56", "1,23", "1,2345", "12,34,567", "0,123", "01,234",
            "1.234.567", "4500.", "1,234.", "1,", ",123", "5%", "1e5", "68 500", "1'234", "10x", "--1", "+-1", "1-2",
            "68.5kk", "1k5", "$$5", "5$", "0x10", "١٢", "1,234,56", "1..2", "NaN", "Infinity",
            "1234567890123456789012345678901234567890",
        ]
    )
    func refuses(text: String) {
        #expect(NumberReader().read(text) == nil)
    }

    @Test(
        "with a comma as mark, point and comma change places",
        arguments: [
            ("1.234,56", "1234.56"), ("1.234", "1234"), ("0,5", "0.5"), ("68500", "68500"), ("1,25k", "1250"),
            ("1.234.567", "1234567"), ("1,234.56", nil), ("1.23", nil), ("0.123", nil), ("1,2,3", nil),
        ] as [(String, String?)]
    )
    func comma(text: String, expected: String?) {
        #expect(NumberReader(mark: .comma).read(text)?.description == expected)
    }
}

@Suite("ValueReader")
struct ValueReaderTests {
    private func read(_ field: String, _ text: String) -> String {
        let reader = ValueReader(field: everyKind.field(named: field)!)
        do {
            return try reader.read(text).shown
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "converts exactly or says why not",
        arguments: [
            ("name", "Ünïcode x", "Ünïcode x"), ("count", "1,200", "1200"), ("count", "2k", "2000"),
            ("count", "1.5", "'1.5' is not a whole number that reads only one way"),
            ("amount", "1,23", "'1,23' is not a number that reads only one way"), ("done", "YES", "true"),
            ("done", "false", "false"), ("done", "1", "'1' is not one of true, false, yes, no"),
            ("at", "2026-02-11T15:30:04Z", "2026-02-11T15:30:04Z"),
            ("at", "2026-02-11 15:30:04+02:00", "2026-02-11T13:30:04Z"),
            ("at", "<t:1770828600>", "2026-02-11T16:50:00Z"),
            ("at", "<t:1770828600:R>", "2026-02-11T16:50:00Z"),
            ("at", "<t:1770828600:Q>", "'<t:1770828600:Q>' is not an ISO 8601 time or a Discord timestamp"),
            ("at", "1770828600", "'1770828600' is not an ISO 8601 time or a Discord timestamp"),
            ("at", "11/02/2026", "'11/02/2026' is not an ISO 8601 time or a Discord timestamp"),
            ("colour", "RED", "Red"), ("colour", "blue", "'blue' is not one of Red, Green"),
            ("data", #"{ "a b": [1,  2.50] , "c\" d": " x " }"#, #"{"a b":[1,2.50],"c\" d":" x "}"#),
            ("data", "[1,", "'[1,' is not a JSON array or object"),
        ]
    )
    func converts(field: String, text: String, expected: String) {
        #expect(read(field, text) == expected)
    }
}
