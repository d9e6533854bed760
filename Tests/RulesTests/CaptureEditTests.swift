import Model
import Testing

@testable import Rules

@Suite("CaptureEdit: the clauses remove and case of a field")
struct CaptureEditTests {
    private func outcome(_ clauses: String, _ text: String) -> String {
        let rules = compile(
            """
            parser: test
            record: sample
            normalize: []
            fields:
              name: { match: 'name=(?<value>[^;]*)', \(clauses) }
              amount: { match: 'amount=(?<value>[^;]*)', remove: "' " }
            """
        )
        return rules.messages.isEmpty ? rules.outcome(text) : rules.messages.joined(separator: "\n")
    }

    @Test(
        "captured text is edited, then mapped",
        arguments: [
            ("remove: '/-'", "name=fil/usdt", "name=filusdt"),
            ("remove: '/-', case: upper", "name=fil-usdt", "name=FILUSDT"),
            ("case: lower", "name=ÅSA", "name=åsa"),
            ("remove: ' /'", "name= a / b ", "name=ab"),
            ("remove: '/', map: { ab: mapped }", "name=A/B", "name=mapped"),
            ("remove: '/', map: { a/b: never }", "name=A/B", "name=AB"),
            ("remove: '#'", "name=# x", "name=x"),
            // Nothing left is an absent value, and `name` is required.
            ("remove: '/'", "name=//", "unmatched"),
            // Of a number too; what is cut out of a longer number stays refused.
            ("case: upper", "name=x;amount=1'234.5", "name=X amount=1234.5"),
            (
                "case: upper", "name=x;amount=1 23x",
                "invalid: test: amount: '123x' is not a number that reads only one way"
            ),
        ]
    )
    func edits(clauses: String, text: String, expected: String) {
        #expect(outcome(clauses, text) == expected)
    }

    @Test(
        "what is wrong is said at its place",
        arguments: [
            ("remove: ''", "'remove' of 'name' is the characters to leave out"),
            ("remove: [a]", "'remove' of 'name' is the characters to leave out"),
            ("case: title", "'case' cannot be 'title'; it is one of upper, lower"),
        ]
    )
    func mistakes(clauses: String, expected: String) {
        #expect(outcome(clauses, "name=x").contains(expected))
    }
}
