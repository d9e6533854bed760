import Model
import Testing

@testable import PipelineFile

@Suite struct YAMLParserTests {
    private func parse(_ text: String) -> (node: YAMLNode?, messages: [String]) {
        var diagnostics = Diagnostics()
        let node = YAMLParser.parse(SourceFile(name: "f.yaml", text: text), into: &diagnostics)
        return (node, diagnostics.all.map(\.description))
    }

    @Test func nodesCarryTheirPlaces() throws {
        let (node, messages) = parse("a: 1\nlist:\n  - x\n  - {k: 'v'}\nö: \"q\"\n")
        #expect(messages.isEmpty)
        let root = try #require(node)
        #expect(root.mapping?.map(\.name) == ["a", "list", "ö"])
        #expect(root.value("a")?.mark == SourceMark(line: 1, column: 4))
        let list = try #require(root.value("list")?.sequence)
        #expect(list.map(\.mark) == [SourceMark(line: 3, column: 5), SourceMark(line: 4, column: 5)])
        #expect(list[1].value("k")?.scalar == "v")
        #expect(root.value("ö")?.mark == SourceMark(line: 5, column: 4))
    }

    @Test(arguments: [
        ("no", nil as Bool?, nil as Int64?, nil as String?, false), ("true", true, nil, nil, false),
        ("FALSE", false, nil, nil, false), ("'true'", nil, nil, nil, false), ("!!str true", nil, nil, nil, false),
        ("12", nil, 12, "12", false), ("-0x10", nil, nil, nil, false), ("0x1F", nil, 31, "31", false),
        ("0o17", nil, 15, "15", false), ("1.50", nil, nil, "1.5", false), ("1.", nil, nil, "1", false),
        ("2e3", nil, nil, "2000", false), (".inf", nil, nil, nil, false), ("1:30", nil, nil, nil, false),
        ("~", nil, nil, nil, true), ("", nil, nil, nil, true), ("''", nil, nil, nil, false),
    ])
    func plainTextHasTheCoreMeanings(text: String, boolean: Bool?, integer: Int64?, decimal: String?, null: Bool) throws
    {
        let node = try #require(parse("key: \(text)").node?.value("key"))
        #expect(node.boolean == boolean)
        #expect(node.integer == integer)
        #expect(node.decimal?.description == decimal)
        #expect(node.isNull == null)
    }

    @Test(arguments: [
        ("", "f.yaml: the file is empty"),
        ("# only a comment\n", "f.yaml: the file is empty"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate key 'a'; it was first given at 1:1"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document; a file holds one"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab in the indentation; YAML allows only spaces there"),
        ("a: @x\n", "f.yaml:1:4: a text cannot start with '@'; put it in quotes"),
        ("a: b: c\n", "f.yaml:1:5: unexpected ':'; put a text that contains ': ' in quotes, or check the indentation"),
        (
            "a: \"\\d+\"\n",
            "f.yaml:1:5: unknown escape in double quotes; put patterns in single quotes, where '\\' stands for itself"
        ),
        ("a: 'x\nb: 1\n", "f.yaml:3:1: the quoted text that starts at 1:4 is never closed"),
        ("a: 1\nb: [", "f.yaml:3:1: expected a value; check that every '[' and '{' before it is closed"),
        ("a: [1, 2\nb: 3\n", "f.yaml:2:2: expected ',' or ']' in the list that starts at 1:4"),
        (
            "a: 1\n  b: 2\n",
            "f.yaml:2:4: unexpected ':'; put a text that contains ': ' in quotes, or check the indentation"
        ),
        ("a: { b: ${C:-d} }\n", "f.yaml:1:10: inside [ ] and { }, put '${…}' in quotes"),
        ("a: *x\n", "f.yaml:1:4: alias '*x' has no anchor '&x' before it"),
        ("a: &x [*x]\n", "f.yaml:1:8: alias '*x' stands inside its own anchor"),
        ("a: !env X\n", "f.yaml:1:4: tag '!env' is not supported; leave it out"),
        ("a: !!python/object {}\n", "f.yaml:1:4: tag '!!python/object' is not supported; leave it out"),
        (
            "b: &b {x: 1}\na:\n  <<: *b\n",
            "f.yaml:3:3: merge keys ('<<') are not supported; alias a whole value, or write the keys out"
        ),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key must be text, not a list"),
        ("a: 1\nb: \u{1}\n", "f.yaml:2:4: a control character; only printable text is allowed"),
    ])
    func refusesWithAPlaceAndASentence(text: String, message: String) {
        #expect(parse(text).messages == [message])
    }

    @Test func expandsSmallAliases() {
        let (node, messages) = parse("a: &x {k: 1}\nb: [*x, *x]\n")
        #expect(messages.isEmpty)
        #expect(node?.value("b")?.sequence?.map { $0.value("k")?.integer } == [1, 1])
    }

    @Test func refusesAnAliasBomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(parse(text).messages == ["f.yaml:4:45: the file's aliases expand to more than 10000 values"])
    }

    @Test func nestingHasALimit() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parse(nested(64)).messages.isEmpty)
        #expect(parse(nested(65)).messages == ["f.yaml:1:65: nested more than 64 levels deep"])
        #expect(parse(nested(100_000)).messages == ["f.yaml:1:65: nested more than 64 levels deep"])
    }

    @Test func aliasesCannotPassTheDepthLimit() {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        let text = "a: &a \(deep)\nb: \(String(repeating: "[", count: 40))*a\(String(repeating: "]", count: 40))\n"
        #expect(parse(text).messages == ["f.yaml:2:44: nested more than 64 levels deep"])
    }

    @Test func aFileHasALargestSize() {
        let comment = "# " + String(repeating: "x", count: YAMLParser.maximumSize)
        #expect(parse(comment).messages == ["f.yaml: the file is larger than 1 MiB"])
    }

    @Test func aByteOrderMarkIsNoText() {
        let (node, messages) = parse("\u{FEFF}a: 1\n")
        #expect(messages.isEmpty)
        #expect(node?.value("a")?.integer == 1)
    }

    @Test(arguments: [
        ("k: abc\n", 2, "1:6"), ("k: 'a''bc'\n", 2, "1:8"), ("k: \"a\\tb\\u0041c\"\n", 4, "1:15"),
        ("k: 'äb'\n", 2, "1:6"), ("k: |\n  ab\n  cd\n", 4, "3:4"), ("k: |-\n    ab\n      cd\n", 6, "3:8"),
        ("k: |\r\n  ab\r\n  cd\r\n", 3, "3:3"), ("k: >\n  ab\n  cd\n", 1, "1:4"), ("k: ab\n  cd\n", 4, "1:4"),
        ("k: ab\n", 2, "1:6"), ("k: ab\n", 9, "1:4"), ("# ö\nk: 'ö' # c\nj: abc\n", 1, "2:5"),
    ])
    func findsPlacesInsideScalars(text: String, offset: Int, place: String) throws {
        let node = try #require(parse(text).node?.value("k"))
        #expect(node.mark(atScalarOffset: offset).description == place)
    }

    @Test func rendersTheLineAndACaret() {
        let file = SourceFile(name: "f.yaml", text: "a: 1\r\nbö: [x, 2\r\n")
        let diagnostic = Diagnostic(
            severity: .error,
            file: "f.yaml",
            mark: SourceMark(line: 2, column: 6),
            message: "bad \u{1B}x"
        )
        #expect(
            diagnostic.rendered(sources: [file], colour: false) == "f.yaml:2:6: bad \\u{1b}x\n    bö: [x, 2\n         ^"
        )
        #expect(diagnostic.rendered(sources: [], colour: false) == diagnostic.description)
        #expect(diagnostic.rendered(sources: [file], colour: true).contains("\u{1B}[1;31merror:"))
    }
}
