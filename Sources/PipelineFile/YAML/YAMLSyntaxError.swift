/// libyaml's complaint about a text, and what to say instead to someone who is no expert of YAML.
struct YAMLSyntaxError: Error {
    /// libyaml's own words, one of the fixed texts of its scanner, parser and reader.
    var problem: String
    var mark: SourceMark
    /// Where the map, list or quoted text began in which it happened.
    var contextMark: SourceMark?

    /// A sentence that says what to change. `file` shows which character stands at the place.
    func advice(in file: SourceFile) -> String {
        let character = character(in: file)
        let start = contextMark.map { " at \($0)" } ?? ""
        switch problem {
        case _ where isReferenceInFlow(in: file): return "inside [ ] and { }, put '${…}' in quotes"
        case _ where isTab(in: file): return "a tab in the indentation; YAML allows only spaces there"
        case "found character that cannot start any token":
            return "a text cannot start with '\(character)'; put it in quotes"
        case "mapping values are not allowed in this context":
            return "unexpected ':'; put a text that contains ': ' in quotes, or check the indentation"
        case "did not find expected key":
            return "expected a key of the map that starts\(start); check the indentation and closing quotes"
        case "could not find expected ':'":
            return "expected ':' after the key that starts\(start)"
        case "found unexpected end of stream", "found unexpected document indicator":
            return "the quoted text that starts\(start) is never closed"
        case "did not find expected ',' or ']'": return "expected ',' or ']' in the list that starts\(start)"
        case "did not find expected ',' or '}'": return "expected ',' or '}' in the map that starts\(start)"
        case "did not find expected node content":
            return "expected a value; check that every '[' and '{' before it is closed"
        case "did not find expected '-' indicator":
            return "expected '- ', the next entry of the list that starts\(start); check the indentation"
        case "block sequence entries are not allowed in this context":
            return "a list cannot start here; put '- ' on a line of its own below the key"
        case "found unknown escape character":
            return "unknown escape in double quotes; put patterns in single quotes, where '\\' stands for itself"
        case "control characters are not allowed": return "a control character; only printable text is allowed"
        case "did not find expected <document start>":
            return "unexpected text after the end of the document; check the indentation"
        default: return problem
        }
    }

    private func character(in file: SourceFile) -> String {
        let scalar = file.line(mark.line)?.unicodeScalars.dropFirst(mark.column - 1).first
        return scalar.map { String(Character($0)) } ?? ""
    }

    /// Plain text inside `[ ]` and `{ }` ends at a brace, so `{ a: ${B} }` breaks right after the dollar sign.
    private func isReferenceInFlow(in file: SourceFile) -> Bool {
        guard problem.hasPrefix("did not find expected ','"), let line = file.line(mark.line) else { return false }
        return line.unicodeScalars.dropFirst(max(0, mark.column - 2)).starts(with: "${".unicodeScalars)
    }

    private func isTab(in file: SourceFile) -> Bool {
        guard let line = file.line(mark.line) else { return false }
        let indentation = line.unicodeScalars.prefix { $0 == " " || $0 == "\t" }
        return mark.column <= indentation.count + 1 && indentation.contains("\t")
    }
}
