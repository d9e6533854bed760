import Model
import Testing

@Suite struct JSONDocumentTests {
    @Test func valuesKeepTheirBytesAndDigits() throws {
        let text = #"{ "a" : [ 1.50 , {"b":"x\ny\u00e9"} , null ], "n":-0.10e+2,"t":true , "e":{} , "l":[ ] } "#
        let root = try JSONDocument(text).root
        #expect(root["n"]?.numberLiteral == "-0.10e+2")
        #expect(root["t"]?.boolean == true)
        #expect(String(decoding: root.raw, as: UTF8.self) == text.dropLast())
        let list = try #require(root["a"])
        #expect(String(decoding: list.raw, as: UTF8.self) == #"[ 1.50 , {"b":"x\ny\u00e9"} , null ]"#)
        let elements = Array(list.elements)
        #expect(elements.count == 3)
        #expect(elements[0].numberLiteral == "1.50")
        #expect(elements[1]["b"]?.string == "x\nyé")
        #expect(String(decoding: elements[1].raw, as: UTF8.self) == #"{"b":"x\ny\u00e9"}"#)
        #expect(elements[2].isNull)
        #expect(root.members.map(\.key) == ["a", "n", "t", "e", "l"])
        #expect(String(decoding: try #require(root["e"]).raw, as: UTF8.self) == "{}")
        #expect(Array(try #require(root["l"]).elements).isEmpty)
    }

    @Test func theLastOfEqualNamesCounts() throws {
        #expect(try JSONDocument(#"{"a":1,"a":2}"#).root["a"]?.integer == 2)
    }

    @Test func accessorsDoNotConvert() throws {
        let root = try JSONDocument(#"{"s":"1","n":1.5,"big":18446744073709551616}"#).root
        #expect(root["s"]?.integer == nil)
        #expect(root["n"]?.string == nil)
        #expect(root["n"]?.integer == nil)
        #expect(root["big"]?.integer == nil)
        #expect(root["big"]?.numberLiteral == "18446744073709551616")
        #expect(root["missing"] == nil)
    }

    @Test func halfASurrogatePairInAKeyIsReplaced() throws {
        let document = try JSONDocument(#"{"a\ud800\"":1,"id":2,"\udc00x":[3]}"#)
        #expect(document.root.members.map(\.key) == ["a\u{FFFD}\"", "id", "\u{FFFD}x"])
        #expect(document.root["id"]?.integer == 2)
    }

    @Test(arguments: [
        "", "   ", "{", "[1,2", #"{"a":}"#, #"{"a" 1}"#, "[1,]", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[nul]",
        "[tru]",
        #"["a]"#, "[1] 2", "[1] x", "{} {}", "12", #""text""#, "null", #"["\q"]"#, "[NaN]", "[1 2]", #"{"a":1 "b":2}"#,
    ])
    func whatIsNotJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { _ = try JSONDocument(text) }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: JSONError.self) { _ = try JSONDocument([0x5B, 0x22, 0xFF, 0x22, 0x5D] as [UInt8]) }
    }

    @Test(arguments: [
        (#""a \ud800 b""#, "a \u{FFFD} b"), (#""\udc00\ud83d\ude00""#, "\u{FFFD}😀"),
        (#""\ud800\ud800""#, "\u{FFFD}\u{FFFD}"),
        (#""\ud800\n\"\\\u00e9""#, "\u{FFFD}\n\"\\é"),
    ])
    func halfASurrogatePairIsReplacedAndItsBytesKept(text: String, expected: String) throws {
        let document = try JSONDocument("[\(text),1]")
        let elements = document.root.elements.map { $0 }
        #expect(elements[0].string == expected)
        #expect(String(decoding: elements[0].raw, as: UTF8.self) == text)
        #expect(elements[1].integer == 1)
    }

    @Test func depthIsBounded() {
        let deep = String(repeating: "[", count: 129) + String(repeating: "]", count: 129)
        #expect(throws: JSONError.self) { _ = try JSONDocument(deep) }
        #expect(throws: Never.self) { _ = try JSONDocument(String(deep.dropFirst().dropLast())) }
    }

    @Test func writingAndReadingAgree() throws {
        let hard = "quote \" back \\ new\nline\ttab\r bell\u{7} nul\u{0} é 🐦"
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(hard)
            writer.array {
                $0.value(hard)
                $0.value(7)
                $0.value(false)
                $0.null()
                $0.object { _ in }
                $0.raw("1.50".utf8)
            }
            writer.key("after")
            writer.value("x")
        }
        let root = try JSONDocument(writer.bytes).root
        let elements = Array(try #require(root.member(hard)).elements)
        #expect(
            elements.map { String(decoding: $0.raw, as: UTF8.self) }.dropFirst() == [
                "7", "false", "null", "{}", "1.50",
            ]
        )
        #expect(elements[0].string == hard)
        #expect(root["after"]?.string == "x")
    }
}
