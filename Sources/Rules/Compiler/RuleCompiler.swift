package import Model
package import PipelineFile

/// What became of a set of rule files.
package struct RuleCompilation {
    /// The rules of the good files; `nil` when the record types themselves are at fault.
    package var rules: RuleSet?
    package var diagnostics: Diagnostics
    /// In the order of the files.
    package var files: [RuleFileResult]
    /// In the order of the files; empty when the examples were not run.
    package var examples: [ExampleResult]
}

/// Whether a rule file was accepted.
package struct RuleFileResult: Sendable, Equatable {
    package var name: String
    /// As far as the file could be read.
    package var parserID: String?
    /// False when the file has an error or lost a conflict; its rule is then not in the rule set.
    package var isGood: Bool
}

/// Makes rule files into a rule set.
package enum RuleCompiler {
    /// Reads and checks `files`. A broken file is reported and left out, the others are not touched by it.
    ///
    /// In a conflict between two files (the same id, or equal priority and one text) the later of them in `files` is
    /// the one at fault: pass those that were accepted before first.
    ///
    /// - Parameters:
    ///   - channels: what `channels:` of a file may name. When empty, names are not checked.
    ///   - runningExamples: also runs every file's examples, looks for conflicts between files, and tries each pattern
    ///     on long lines. A worker that loads an accepted generation spares itself that.
    ///   - passed: texts that have passed all this before, side by side and with these record types and channels, by
    ///     the names of their files. Only what is new among them is tried.
    ///   - known: a rule set whose parsers serve again where nothing changed. They are shared: once the new set is
    ///     used, the old one must not be.
    package static func compile(
        _ files: [SourceFile],
        records: [RecordType],
        channels: [ChannelName],
        runningExamples: Bool,
        passed: [String: String] = [:],
        reusing known: RuleSet? = nil
    ) -> RuleCompilation {
        var diagnostics = Diagnostics()
        let recordChecks = bindChecks(of: records, &diagnostics)
        guard !diagnostics.hasErrors else {
            return RuleCompilation(
                rules: nil,
                diagnostics: diagnostics,
                files: files.map { RuleFileResult(name: $0.name, parserID: nil, isGood: false) },
                examples: []
            )
        }
        let limits = MatchLimits()
        let context = RuleContext(records: records, channels: channels)
        let reusable = known.map { $0.context == context ? $0.byFile : [:] } ?? [:]
        var loaded = files.map { file in
            if let parser = reusable[file.name], parser.version == ContentHash.of(file.text), file.problem == nil {
                return LoadedRule(file: file.name, result: .parser(parser), diagnostics: Diagnostics())
            }
            var reader = RuleFileReader(
                file: file,
                records: records,
                channels: channels,
                recordChecks: recordChecks,
                limits: limits
            )
            let result = reader.read()
            return LoadedRule(file: file.name, result: result, diagnostics: reader.diagnostics)
        }
        reportDuplicates(&loaded)
        var examples: [ExampleResult] = []
        if runningExamples {
            let settled = Set(files.indices.filter { passed[files[$0].name] == files[$0].text })
            let new = loaded.indices.filter { !settled.contains($0) }
            for index in new { examples += loaded[index].runExamples() }
            for index in new { loaded[index].probe() }
            if !new.isEmpty { reportConflicts(&loaded, settled: settled) }
        }
        for rule in loaded { diagnostics.append(rule.diagnostics) }
        let rules = RuleSet(loaded.compactMap(\.goodParser), others: loaded.compactMap(\.lastResort?.summary))
        rules.lastResort = LastResort(loaded.compactMap(\.lastResort))
        rules.context = context
        return RuleCompilation(
            rules: rules,
            diagnostics: diagnostics,
            files: loaded.map { RuleFileResult(name: $0.file, parserID: $0.id, isGood: $0.isGood) },
            examples: examples
        )
    }

    /// Checks the `check:` of record types at their places in `pipeline.yaml`: by record name, the nodes of its list.
    package static func checkRecordExpressions(
        _ nodes: [String: [YAMLNode]],
        records: [RecordType],
        diagnostics: inout Diagnostics
    ) {
        for record in records {
            _ = bind(nodes[record.name] ?? [], to: record, &diagnostics)
        }
    }

    /// Compiles expressions, reporting those that cannot be read or do not fit the record type.
    static func bind(_ nodes: [YAMLNode], to record: RecordType, _ diagnostics: inout Diagnostics) -> [Expression] {
        nodes.compactMap { node -> Expression? in
            guard let source = node.scalar else {
                diagnostics.error("a check is an expression, not \(node.described)", at: node)
                return nil
            }
            do throws(ExpressionError) {
                return try Expression(source, record: record)
            } catch {
                diagnostics.error(error.message, file: node.file, mark: node.mark(atScalarOffset: error.offset))
                return nil
            }
        }
    }

    private static func bindChecks(
        of records: [RecordType],
        _ diagnostics: inout Diagnostics
    ) -> [String: [Expression]] {
        var checks: [String: [Expression]] = [:]
        for record in records {
            for source in record.checks {
                do {
                    checks[record.name, default: []].append(try Expression(source, record: record))
                } catch {
                    diagnostics.error(
                        "record '\(record.name)', check '\(source)': \(error.message)",
                        file: "pipeline.yaml",
                        mark: nil
                    )
                }
            }
        }
        return checks
    }

    private static func reportDuplicates(_ rules: inout [LoadedRule]) {
        var first: [String: String] = [:]
        for index in rules.indices {
            guard let head = rules[index].head else { continue }
            if let other = first[head.id] {
                rules[index].diagnostics.error("parser '\(head.id)' is already in \(other)", at: head.idNode)
            } else {
                first[head.id] = rules[index].file
            }
        }
    }

    private static func reportConflicts(_ rules: inout [LoadedRule], settled: Set<Int>) {
        let candidates = rules.indices.filter { rules[$0].goodParser?.head.status == .live }
        let finder = ConflictFinder(
            parsers: candidates.compactMap { rules[$0].goodParser },
            settled: Set(candidates.indices.filter { settled.contains(candidates[$0]) })
        )
        for conflict in finder.conflicts() {
            let (first, second) = (finder.parsers[conflict.earlier], finder.parsers[conflict.later])
            // A rule that lost to an earlier one is out, and is in nobody's way any more.
            guard rules[candidates[conflict.earlier]].isGood else { continue }
            rules[candidates[conflict.later]].diagnostics.error(
                "priority \(second.head.priority) is also that of parser '\(first.head.id)' in \(first.file), and "
                    + "both take the example at \(conflict.file):\(conflict.mark)",
                at: second.head.idNode
            )
        }
    }
}
