internal import PipelineFile

/// Compiles the patterns of one rule file, its named pieces put in, and places their errors.
struct PatternCompiler {
    let limits: MatchLimits
    private var pieces = PatternPieces()

    init(limits: MatchLimits) {
        self.limits = limits
    }

    /// Takes the pieces of `define:`. A broken one is reported where it stands, and left out.
    mutating func define(_ node: YAMLNode, _ diagnostics: inout Diagnostics) {
        guard let pairs = node.mapping else {
            diagnostics.error("'define' must be a map of named patterns, not \(node.described)", at: node)
            return
        }
        var sources: [String: String] = [:]
        for pair in pairs {
            guard let source = pair.value.scalar, !pair.value.isNull else {
                diagnostics.error("a piece is a pattern, not \(pair.value.described)", at: pair.value)
                continue
            }
            guard pair.name.utf8.allSatisfy(\.isASCIIWord), !pair.name.isEmpty else {
                diagnostics.error(
                    "'\(pair.name)' cannot name a piece: only letters, digits and '_' can",
                    at: pair.key
                )
                continue
            }
            sources[pair.name] = source
        }
        pieces = PatternPieces(sources)
        for pair in pairs where sources[pair.name] != nil {
            _ = compile(pair.value, &diagnostics)
        }
    }

    /// A pattern that an engine makes of what stands at `node`.
    func compile(made source: String, at node: YAMLNode) throws(PatternError) -> Pattern {
        let pattern = try Pattern(source, limits: limits)
        pattern.mark = node.mark
        return pattern
    }

    /// `nil`, with an error, for what is no pattern.
    mutating func compile(_ node: YAMLNode, _ diagnostics: inout Diagnostics) -> Pattern? {
        guard let source = node.scalar, !node.isNull, !source.isEmpty else {
            diagnostics.error("a pattern is a text, not \(node.described)", at: node)
            return nil
        }
        let expansion: PatternPieces.Expansion
        do {
            expansion = try pieces.expand(source)
        } catch {
            diagnostics.error(error.message, file: node.file, mark: node.mark(atScalarOffset: error.offset))
            return nil
        }
        do {
            return try compile(made: expansion.text, at: node)
        } catch {
            let offset = expansion.writtenOffset(of: error.offset)
            diagnostics.error(
                "the pattern does not compile: \(error.problem)",
                file: node.file,
                mark: node.mark(atScalarOffset: offset)
            )
            return nil
        }
    }
}
