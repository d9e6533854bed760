private import CVectorscan

/// Finds which of many literals occur in a text, in one pass whose cost hardly depends on how many there are.
///
/// Vectorscan's literal mode does the work. A matcher owns the scratch memory of its scans, so it serves one thread at
/// a time.
final class LiteralMatcher {
    private let database: OpaquePointer
    private let scratch: OpaquePointer
    /// The numbers of the literals found by the last scan; each is reported once, so there is room for all.
    private let found: UnsafeMutablePointer<UInt32>

    /// Where a scan notes what it finds.
    private struct Findings {
        var found: UnsafeMutablePointer<UInt32>
        var count = 0
    }

    /// - Parameter literals: folded as ``NormalizedText/fold(_:)`` does, none empty, none twice.
    /// - Returns: `nil` where Vectorscan cannot serve: on a processor it was not built for, or without memory.
    init?(_ literals: [[UInt8]]) {
        guard !literals.isEmpty, let database = Self.compile(literals) else { return nil }
        var scratch: OpaquePointer?
        guard hs_alloc_scratch(database, &scratch) == HS_SUCCESS, let scratch else {
            hs_free_database(database)
            return nil
        }
        self.database = database
        self.scratch = scratch
        found = .allocate(capacity: literals.count)
    }

    deinit {
        hs_free_scratch(scratch)
        hs_free_database(database)
        found.deallocate()
    }

    /// The places in the list of literals of those that occur in `text`, each once, in no particular order; valid until
    /// the next scan. Capitals of ASCII need not be folded.
    func scan(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt32> {
        guard let start = text.baseAddress, !text.isEmpty else { return UnsafeBufferPointer(start: found, count: 0) }
        var findings = Findings(found: found)
        let status = withUnsafeMutablePointer(to: &findings) { findings in
            start.withMemoryRebound(to: CChar.self, capacity: text.count) { start in
                hs_scan(
                    database,
                    start,
                    UInt32(text.count),
                    0,
                    scratch,
                    { number, _, _, _, context in
                        let findings = context!.assumingMemoryBound(to: Findings.self)
                        findings.pointee.found[findings.pointee.count] = number
                        findings.pointee.count += 1
                        return 0
                    },
                    findings
                )
            }
        }
        precondition(status == HS_SUCCESS, "Vectorscan refused a scan: \(status)")
        return UnsafeBufferPointer(start: found, count: findings.count)
    }

    private static func compile(_ literals: [[UInt8]]) -> OpaquePointer? {
        let bytes = literals.flatMap { $0 }
        let flags = [UInt32](repeating: UInt32(HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH), count: literals.count)
        var database: OpaquePointer?
        var error: UnsafeMutablePointer<hs_compile_error_t>?
        let status = bytes.withUnsafeBytes { bytes in
            var start = bytes.bindMemory(to: CChar.self).baseAddress
            let starts = literals.map { literal in
                defer { start = start.map { $0 + literal.count } }
                return start
            }
            return hs_compile_lit_multi(
                starts,
                flags,
                Array(0..<UInt32(literals.count)),
                literals.map(\.count),
                UInt32(literals.count),
                UInt32(HS_MODE_BLOCK),
                nil,
                &database,
                &error
            )
        }
        if let error { hs_free_compile_error(error) }
        return status == HS_SUCCESS ? database : nil
    }
}
