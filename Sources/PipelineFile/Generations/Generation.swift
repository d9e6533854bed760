import Model

/// What was accepted at one time, whole: the pipeline and the rule files as they were. Children load nothing else, so
/// replicas are identical, and one that starts while a file on disk is broken still gets what was accepted.
package struct Generation: Sendable, Equatable {
    /// From 1; numbers only grow.
    package var number: Int
    /// Absolute.
    package var folder: String
    package var pipeline: Pipeline
    /// By name, which is the path as diagnostics show it.
    package var rules: [SourceFile]
    /// The version of Chaffinch that found them good.
    package var checkedBy: String = Chaffinch.version
}
