private import CPCRE2
internal import PipelineFile

/// A compiled PCRE2 pattern and the memory its matches are written to, so it serves one thread at a time.
///
/// Patterns read UTF-8 with Unicode properties, without case, and `^` and `$` stand at every line.
package final class Pattern {
    package enum Outcome: Equatable {
        case matched
        case noMatch
        /// The pattern ran into a limit of ``MatchLimits``; whether the text matches is not known.
        case limitHit
        /// An error that correct use does not bring about, with PCRE2's code.
        case broken(code: Int)
    }

    package let source: String
    /// Where it stands in its rule file.
    var mark: SourceMark?
    /// In the order of their numbers, each once.
    let groupNames: [String]

    private let code: OpaquePointer
    private let matchData: OpaquePointer
    private let offsets: UnsafeMutablePointer<Int>
    private let groupNumbers: [String: [Int]]
    private let limits: MatchLimits
    private var isTranslated = false

    /// - Throws: ``PatternError`` with the place inside `source`.
    package init(_ source: String, limits: MatchLimits) throws(PatternError) {
        let code = try Self.compile(source)
        guard let matchData = pcre2_match_data_create_from_pattern_8(code, nil),
            let offsets = pcre2_get_ovector_pointer_8(matchData)
        else { fatalError("PCRE2: out of memory") }
        self.source = source
        self.code = code
        self.matchData = matchData
        self.offsets = offsets
        self.limits = limits
        let names = Self.names(of: code)
        groupNumbers = names.reduce(into: [:]) { $0[$1.name, default: []].append($1.number) }
        groupNames = names.sorted { $0.number < $1.number }.reduce(into: []) { list, group in
            if !list.contains(group.name) { list.append(group.name) }
        }
    }

    deinit {
        pcre2_match_data_free_8(matchData)
        pcre2_code_free_8(code)
    }

    /// The numbers of the groups called `name`: one, or several where alternatives share it (`(?|…)`, `(?J)`).
    func groups(named name: String) -> [Int] { groupNumbers[name] ?? [] }

    /// Looks for the first match at `start` or after it. `subject` must be valid UTF-8 and `start` the start of a
    /// character. After `matched` the ranges are read with ``range(of:)``.
    package func match(_ subject: UnsafeBufferPointer<UInt8>, from start: Int = 0) -> Outcome {
        if let budget = limits.budget, !budget.permits(subject.count - start) { return .limitHit }
        if !isTranslated { translate() }
        limits.fit(subject.count)
        let result = withUnsafePointer(to: 0) { empty in
            // PCRE2 wants an address even for no bytes at all.
            let address = subject.baseAddress ?? UnsafeRawPointer(empty).assumingMemoryBound(to: UInt8.self)
            return pcre2_match_8(
                code,
                address,
                subject.count,
                start,
                PCRE2_NO_UTF_CHECK,
                matchData,
                limits.context
            )
        }
        if result >= 0 { return .matched }
        switch result {
        case PCRE2_ERROR_NOMATCH: return .noMatch
        case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT, PCRE2_ERROR_JIT_STACKLIMIT:
            return .limitHit
        default: return .broken(code: Int(result))
        }
    }

    /// To machine code, at the first match: of a thousand rules most wait long for theirs. Where the system forbids
    /// executable memory the interpreter serves instead: slower, with the same results.
    private func translate() {
        isTranslated = true
        _ = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
    }

    /// Where the whole of the last match stands in the subject.
    var matchedRange: Range<Int> { min(offsets[0], offsets[1])..<offsets[1] }

    /// Where the first of `groups` that took part in the last match stands; `nil` when none did.
    func range(of groups: [Int]) -> Range<Int>? {
        for group in groups where offsets[2 * group] >= 0 && offsets[2 * group] <= offsets[2 * group + 1] {
            return offsets[2 * group]..<offsets[2 * group + 1]
        }
        return nil
    }

    /// Calls `body` with the range of every match, from left to right, until it returns false; the groups are those of
    /// that match. An empty match is followed by the next character. Returns `matched` when `body` ended it,
    /// `noMatch` when there are no more.
    func forEachMatch(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Bool) -> Outcome {
        var start = 0
        while start <= text.count {
            let outcome = match(text, from: start)
            guard outcome == .matched else { return outcome }
            let range = matchedRange
            guard body(range) else { return .matched }
            if !range.isEmpty, range.upperBound > start {
                start = range.upperBound
            } else {
                start = max(start, range.upperBound) + 1
                while start < text.count && text[start] & 0xC0 == 0x80 { start += 1 }
            }
        }
        return .noMatch
    }

    private static func compile(_ source: String) throws(PatternError) -> OpaquePointer {
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_ANYCRLF))
        var status: Int32 = 0
        var offset = 0
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
        let bytes = Array(source.utf8)
        let code = bytes.withUnsafeBufferPointer { buffer in
            withUnsafePointer(to: 0) { empty in
                let address = buffer.baseAddress ?? UnsafeRawPointer(empty).assumingMemoryBound(to: UInt8.self)
                return pcre2_compile_8(address, buffer.count, options, &status, &offset, context)
            }
        }
        guard let code else { throw PatternError(problem: message(for: status), offset: min(offset, bytes.count)) }
        return code
    }

    private static func message(for status: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(status, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(status)"
    }

    /// PCRE2's name table: entries of one size, each the group's number in two bytes and its name, ended by a zero.
    private static func names(of code: OpaquePointer) -> [(name: String, number: Int)] {
        var count: UInt32 = 0
        var size: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &size)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        guard let table else { return [] }
        return (0..<Int(count)).map { index in
            let entry = table + index * Int(size)
            return (String(cString: entry + 2), Int(entry[0]) << 8 | Int(entry[1]))
        }
    }
}

/// A pattern that PCRE2 does not accept.
package struct PatternError: Error, Equatable {
    /// PCRE2's own words, such as `missing closing parenthesis`.
    package var problem: String
    /// Where it was noticed, in UTF-8 bytes of the pattern.
    package var offset: Int
}
