import Model
import Testing

@testable import Rules

@Suite("Expression")
struct ExpressionTests {
    /// A signal with an entry and two stops; `leverage` and `risk` are absent.
    private var draft: RecordDraft {
        var draft = RecordDraft(tradingSignal)
        draft.fields[0] = .text("BTC")
        draft.fields[1] = .text("long")
        draft.fields[4] = .decimal(ExactDecimal("100")!)
        for (type, price) in [("stop_loss", "95"), ("take_profit", "110"), ("take_profit", "120")] {
            draft.lists[0].append(
                RecordDraft.Element(
                    fields: [.text(type), .decimal(ExactDecimal(price)!)],
                    isRead: [true, true]
                )
            )
        }
        return draft
    }

    @Test(
        "holds or not",
        arguments: [
            ("entry_price > 0", true), ("entry_price > 100", false), ("entry_price >= 100.0", true),
            ("entry_price = 100", true), ("entry_price != 100", false), ("entry_price <= 99.99", false),
            ("side = 'long'", true), ("side = 'LONG'", true), ("side != \"short\"", true), ("'short' = side", false),
            ("ticker = 'BTC'", true), ("ticker = 'btc'", false),
            // An absent side holds, whatever is compared.
            ("risk > 5", true), ("risk > 5 and risk < 5", true), ("risk = leverage", true), ("risk + 1 > 100", true),
            ("not risk > 5", false),
            // A bare name is true when present.
            ("entry_price", true), ("risk", false), ("not risk", true), ("trading_stops", true),
            ("trading_stops.stop_loss", true), ("trading_stops.price", true), ("risk or trading_stops", true),
            // Over a list, every element.
            ("trading_stops.price > 90", true), ("trading_stops.price > 100", false),
            ("trading_stops.take_profit.price > entry_price", true),
            ("trading_stops.stop_loss.price < entry_price", true),
            ("entry_price < trading_stops.take_profit.price", true),
            ("trading_stops.stop_loss.price < trading_stops.take_profit.price", true),
            ("trading_stops.take_profit.price > 115", false), ("trading_stops.type != 'stop_loss'", false),
            // Arithmetic, and what binds how.
            ("entry_price * 2 = 200", true), ("1 + 2 * 3 = 7", true), ("(1 + 2) * 3 = 9", true),
            ("10 - 4 - 3 = 3", true),
            ("8 / 4 / 2 = 1", true), ("-entry_price < 0", true), ("2 - -1 = 3", true), ("0.1 + 0.2 = 0.3", true),
            ("trading_stops.price * 2 > 189", true), ("1 / 0 > 0", false), ("not 1 / 0 > 0", false),
            ("entry_price / 1.5 < 66.7", true),
            ("side = 'short' or side = 'long' and entry_price > 50", true),
            ("not side = 'short' and entry_price", true),
            ("side in ['long', 'Short']", true), ("side not in ['short']", true), ("side in ['short']", false),
            ("entry_price in [1, 100, -3]", true), ("risk in [1]", true),
            ("trading_stops.price in [95, 110, 120]", true),
            ("side != 'long' or trading_stops.stop_loss.price < entry_price", true), ("true", true),
            ("false or true", true),
        ]
    )
    func holds(source: String, expected: Bool) throws {
        #expect(try Expression(source, record: tradingSignal).holds(for: draft) == expected)
    }

    @Test(
        "kinds of values",
        arguments: [
            ("count > 1.5", true), ("at > '2026-01-01'", true), ("at < '2026-01-01T00:00:00Z'", false),
            ("done = true", true), ("done != true", false), ("colour = 'red'", true), ("colour in ['GREEN']", false),
            ("name = colour", true), ("parts.size > 0", true), ("not parts", true),
        ]
    )
    func kinds(source: String, expected: Bool) throws {
        var draft = RecordDraft(everyKind)
        draft.fields[0] = .text("red")
        draft.fields[1] = .integer(2)
        draft.fields[3] = .boolean(true)
        draft.fields[4] = .timestamp(try #require(Timestamp(iso8601: "2026-02-11T15:30:00Z")))
        draft.fields[5] = .text("Red")
        #expect(try Expression(source, record: everyKind).holds(for: draft) == expected)
    }

    @Test(
        "says what is wrong and where",
        arguments: [
            (
                "entry_pric > 0", 0,
                "record 'trading_signal' has no field or list 'entry_pric'; did you mean 'entry_price'?"
            ),
            ("entry_price > ", 14, "expected a name, a number or a text, not the end"),
            ("entry_price == 1", 12, "'==' is written '=' here"), ("risk && risk", 5, "'&&' is written 'and' here"),
            ("!risk", 0, "'!' is written 'not' here"),
            ("1 < risk < 3", 9, "comparisons do not chain; join two with 'and'"),
            ("side = 'lng'", 7, "'lng' is not one of its values; did you mean 'long'?"),
            ("side > 'long'", 5, "an enum has no order; only '=' and '!=' compare it"),
            ("side = 1", 5, "an enum and a number do not compare"),
            ("risk = 'high'", 7, "a number and text do not compare"),
            ("ticker + 1 > 2", 0, "text cannot be reckoned with"),
            ("risk + 1", 5, "this gives a value, not true or false"),
            ("risk > (risk > 1)", 13, "this gives true or false, not a value"),
            (
                "trading_stops.prize > 0", 0,
                "list 'trading_stops' has no field or enum value 'prize'; did you mean 'price'?"
            ),
            (
                "trading_stops.stop_loss > 0", 0,
                "'trading_stops.stop_loss' names elements of a list; name one of their fields too"
            ),
            ("side.long", 0, "'side' is no list"), ("risk > 'x", 7, "the text that starts here is not closed"),
            ("risk # 1", 5, "'#' has no meaning here"), ("risk in 1", 8, "expected '[', not '1'"),
            ("risk > 1 2", 9, "expected the end, not '2'"), ("(risk", 5, "expected ')', not the end"),
            ("1.2.3 > 0", 0, "'1.2.3' is not a number"),
            ("5x > 0", 0, "'5x' is not a number"), ("a..b", 0, "'a..b' is not a name"),
        ]
    )
    func problems(source: String, offset: Int, message: String) {
        #expect(throws: ExpressionError(message: message, offset: offset)) {
            try Expression(source, record: tradingSignal)
        }
    }

    @Test("does not run out of stack on deep nesting")
    func nesting() {
        let deep = String(repeating: "(", count: 100_000)
        #expect(throws: ExpressionError.self) { try Expression(deep, record: tradingSignal) }
        let nots = String(repeating: "not ", count: 100_000) + "risk"
        #expect(throws: ExpressionError.self) { try Expression(nots, record: tradingSignal) }
    }
}
