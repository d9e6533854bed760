import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

@Suite("The JSON Schema of rule files")
struct RuleSchemaTests {
    private func problem(_ text: String, name: String = "rule.yaml") throws -> String? {
        var diagnostics = Diagnostics()
        let node = try #require(YAMLParser.parse(SourceFile(name: name, text: text), into: &diagnostics))
        return SchemaChecker(root: try JSONDocument(RuleSchema.json()).root).problem(node)
    }

    static let shipped: [String] = {
        let folder = Project.root.appending(path: "parsers").resolvingSymlinksInPath()
        let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test("every shipped file satisfies it, and names it in its first line", arguments: shipped)
    func shippedFiles(name: String) throws {
        let text = try source("parsers/\(name)").text
        #expect(try problem(text) == nil)
        let up = String(repeating: "../", count: name.split(separator: "/").count)
        #expect(text.hasPrefix("# yaml-language-server: $schema=\(up)schema/parser.schema.json\n"))
    }

    @Test("the files of the reference, of every engine, satisfy it")
    func reference() throws {
        let text = try source("docs/rule-language.md").text
        let files = text.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
        #expect(files.count == 5)
        for file in files { #expect(try problem(file) == nil, "\(file)") }
    }

    @Test(
        "files that are broken in their shape are refused",
        arguments: ["bad-examples", "engine", "engine-unknown", "missing", "unknown-keys", "wrong-values"]
    )
    func broken(name: String) throws {
        let folder = try #require(Bundle.module.resourceURL?.appending(path: "Fixtures/broken"))
        let text = try String(contentsOf: folder.appending(path: "\(name).yaml"), encoding: .utf8)
        #expect(try problem(text) != nil)
    }

    /// Each of these is also refused by the reader: the schema asks for nothing that it does not.
    @Test(
        "so is each of these, by the reader too",
        arguments: [
            "record: sample\nfields: { name: { match: '(?<value>x)' } }",
            "parser: a b\nrecord: sample\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample",
            "parser: t\nrecord: sample\nfields: { name: [] }",
            "parser: t\nrecord: sample\nfields: { name: { match: '(?<value>x)', value: y } }",
            "parser: t\nrecord: sample\nfields: { name: { mach: '(?<value>x)' } }",
            "parser: t\nrecord: sample\nfields: { name: { key: x } }",
            "parser: t\nrecord: sample\nengine: pairs\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample\nengine: pairs\nrecords: x\nfields: { name: { key: x } }",
            "parser: t\nrecord: sample\nengine: json\nsplit: x\nfields: { name: { path: x } }",
            "parser: t\nrecord: sample\nengine: json\nnormalize: []\nfields: { name: { path: x } }",
            "parser: t\nrecord: sample\nengine: embed\ncover: x\nfields: { name: { path: title } }",
            "parser: t\nrecord: sample\nengine: embed\ninput: text\nfields: { name: { path: title } }",
            "parser: t\nrecord: sample\nengine: template\nfields: { name: { value: x } }",
            "parser: t\nrecord: sample\nengine: template\ntemplate: '{name}'\nfields: { name: { match: x } }",
            "parser: t\nrecord: sample\nstatus: on\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample\npriority: high\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample\ngate: []\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample\ndecimal: dot\nfields: { name: { match: '(?<value>x)' } }",
            "parser: t\nrecord: sample\nfields: { name: { match: '(?<value>x)' } }\nlists: { parts: { set: { sort: big } } }",
            "parser: t\nrecord: sample\nfields: { name: { match: '(?<value>x)' } }\nexamples: [{ text: x }]",
            "parser: t\nrecord: sample\nfields: { name: { match: '(?<value>x)' } }\nexamples: [{ text: x, expect: nothing }]",
            "- parser: t",
        ]
    )
    func refused(text: String) throws {
        #expect(try problem(text) != nil)
        #expect(compile(text).files.map(\.isGood) == [false])
    }

    @Test("the committed file is current")
    func current() throws {
        let path = Project.root.appending(path: "schema/parser.schema.json")
        if ProcessInfo.processInfo.environment["CHAFFINCH_WRITE_SCHEMA"] != nil {
            try Data(RuleSchema.json().utf8).write(to: path)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == RuleSchema.json())
    }
}

/// As much of JSON Schema as ours uses, applied to YAML.
struct SchemaChecker {
    let root: JSONView

    /// `nil` when the node satisfies the whole schema.
    func problem(_ node: YAMLNode) -> String? { problem(node, root) }

    private func problem(_ node: YAMLNode, _ schema: JSONView) -> String? {
        if let isAllowed = schema.boolean { return isAllowed ? nil : "\(node.mark): not allowed" }
        for (key, rule) in schema.members {
            if let problem = problem(node, key, rule, schema) { return "\(node.mark) \(key): \(problem)" }
        }
        return nil
    }

    private func problem(_ node: YAMLNode, _ key: String, _ rule: JSONView, _ schema: JSONView) -> String? {
        switch key {
        case "$ref":
            let name = rule.string?.split(separator: "/").last.map(String.init) ?? ""
            guard let target = root["$defs"]?.member(name) else { return "no definition \(name)" }
            return problem(node, target)
        case "type":
            let types = rule.string.map { [$0] } ?? rule.elements.compactMap(\.string)
            return types.contains { has(node, $0) } ? nil : "is none of \(types)"
        case "const": return node.scalar == rule.string ? nil : "is not \(rule.string ?? "")"
        case "enum": return rule.elements.contains { $0.string == node.scalar } ? nil : "is not among its values"
        case "pattern":
            guard let text = node.scalar, let pattern = rule.string else { return nil }
            return text.range(of: pattern, options: .regularExpression) == nil ? "does not match" : nil
        case "minLength": return node.scalar?.isEmpty == true ? "is empty" : nil
        case "required":
            guard node.mapping != nil else { return nil }
            return rule.elements.compactMap(\.string).first { node.value($0) == nil }.map { "lacks \($0)" }
        case "properties":
            return first(node) { pair in rule.member(pair.name).flatMap { problem(pair.value, $0) } }
        case "additionalProperties":
            let known = schema["properties"]
            return first(node) { pair in known?.member(pair.name) == nil ? problem(pair.value, rule) : nil }
        case "propertyNames": return first(node) { problem($0.key, rule) }
        case "items":
            guard let nodes = node.sequence else { return nil }
            return nodes.lazy.compactMap { problem($0, rule) }.first
        case "minItems": return node.sequence?.isEmpty == true ? "is empty" : nil
        case "allOf": return rule.elements.compactMap { problem(node, $0) }.first
        case "anyOf": return rule.elements.contains { problem(node, $0) == nil } ? nil : "fits no alternative"
        case "oneOf": return rule.elements.count { problem(node, $0) == nil } == 1 ? nil : "fits not exactly one"
        case "if":
            guard problem(node, rule) == nil, let then = schema["then"] else { return nil }
            return problem(node, then)
        case "then", "$schema", "title", "description", "default", "$defs": return nil
        default: return "unknown keyword"
        }
    }

    private func first(_ node: YAMLNode, _ problem: (YAMLPair) -> String?) -> String? {
        (node.mapping ?? []).lazy.compactMap(problem).first
    }

    private func has(_ node: YAMLNode, _ type: String) -> Bool {
        switch type {
        case "object": node.mapping != nil
        case "array": node.sequence != nil
        case "integer": node.integer != nil
        case "number": node.decimal != nil
        case "boolean": node.boolean != nil
        case "string": node.scalar != nil && !node.isNull
        default: false
        }
    }
}
