private import CPCRE2

/// How far one match may go, and the stack it may use: shared by all patterns of a rule set, which run on one thread.
package final class MatchLimits {
    /// Steps of one match. At PCRE2's own default (ten million) `(a+)+$` on 2,000 characters runs 43 ms, at this one
    /// 0.05 ms.
    static let steps: UInt32 = 10_000
    /// In bytes; longer texts get fewer steps. PCRE2 counts anew at every place where a match may start, so the length
    /// multiplies them: with 30,000 bytes and 10,000 steps `(?:.*a){25}` ran for 0.4 s. Discord's own texts are shorter.
    static let fullLength = 8192
    /// How deep PCRE2's interpreter may nest, where it runs instead of compiled code.
    static let depth: UInt32 = 10_000
    /// What that interpreter may allocate, in KiB.
    static let heap: UInt32 = 4096
    /// The most compiled code may use of its own stack, in bytes; it is mapped as it is needed.
    private static let stack = 512 * 1024

    let context: OpaquePointer
    /// Set by the rule set that runs the patterns; while rule files are checked there is none.
    var budget: MatchBudget?
    private var length = fullLength
    private let jitStack: OpaquePointer?

    package init() {
        guard let context = pcre2_match_context_create_8(nil) else { fatalError("PCRE2: out of memory") }
        self.context = context
        jitStack = pcre2_jit_stack_create_8(32 * 1024, Self.stack, nil)
        pcre2_set_match_limit_8(context, Self.steps)
        pcre2_set_depth_limit_8(context, Self.depth)
        pcre2_set_heap_limit_8(context, Self.heap)
        if let jitStack { pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(jitStack)) }
    }

    /// Sets the steps for a text of `length` bytes.
    func fit(_ length: Int) {
        let length = max(length, Self.fullLength)
        guard length != self.length else { return }
        self.length = length
        pcre2_set_match_limit_8(context, UInt32(Int(Self.steps) * Self.fullLength / length))
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(jitStack)
    }
}
