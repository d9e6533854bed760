/// What the contract of `pipeline.yaml` accepts and this version does not act on. Each gets a warning at its place, so
/// that nobody relies on it; a line goes when its feature comes.
extension PipelineDecoder {
    mutating func notYet(_ message: String, at node: YAMLNode) {
        if !diagnostics.hasError(at: node) { diagnostics.warning(message, at: node) }
    }

    mutating func warnOfWhatIsNotYetDone(_ root: YAMLNode, poll: Duration) {
        if let live = root.value("discord")?.value("live"), live.boolean == true {
            notYet("the gateway is not built yet; channels are polled every \(poll.written)", at: live)
        }
        if let console = root.mapping?.first(where: { $0.name == "console" }) {
            notYet(
                "the console is not built yet; see 'chaffinch status'",
                at: console.value.value("listen") ?? console.key
            )
        }
        for channel in root.value("channels")?.sequence ?? [] {
            if let threads = channel.value("threads"), threads.boolean == true {
                notYet("threads are not read yet; only the channel itself is", at: threads)
            }
        }
    }
}
