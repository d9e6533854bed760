import PipelineFile
import Synchronization

/// The latest list of channels to read, for the one who waits for it.
final class ChannelInbox: Sendable {
    private struct State {
        var list: [Pipeline.Channel]?
        var isClosed = false
        var waiter: CheckedContinuation<[Pipeline.Channel]?, Never>?
    }

    private let state: Mutex<State>

    init(_ channels: [Pipeline.Channel]) { state = Mutex(State(list: channels)) }

    func put(_ channels: [Pipeline.Channel]) {
        let waiter = state.withLock { state -> CheckedContinuation<[Pipeline.Channel]?, Never>? in
            guard !state.isClosed else { return nil }
            guard let waiter = state.waiter else {
                state.list = channels
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: channels)
    }

    /// No list comes any more.
    func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// The next list, waiting for one; `nil` once there will be none.
    func next() async -> [Pipeline.Channel]? {
        await withCheckedContinuation { continuation in
            let known: [Pipeline.Channel]?? = state.withLock { state in
                if state.isClosed { return .some(nil) }
                if let list = state.list {
                    state.list = nil
                    return .some(list)
                }
                state.waiter = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
