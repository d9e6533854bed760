import Synchronization

/// The number of the generation that a worker works by: the one it started with, or a later one that it took over.
final class LiveGeneration: Sendable {
    private let state: Mutex<Int>

    init(_ number: Int) { state = Mutex(number) }

    var number: Int { state.withLock { $0 } }

    func moved(to number: Int) { state.withLock { $0 = number } }
}
