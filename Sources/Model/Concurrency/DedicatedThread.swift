import Foundation
import Synchronization

/// A thread of its own that runs an actor's jobs, for libraries whose calls block.
///
/// An actor that holds a blocking connection returns this as its `unownedExecutor`; its methods are then plain code on
/// one thread and never hold a thread of the cooperative pool. The thread ends when the executor is released.
package final class DedicatedThread: SerialExecutor {
    private let queue: JobQueue

    /// - Parameter name: shown by debuggers and `top -H`; Linux keeps the first 15 bytes.
    package init(name: String) {
        let queue = JobQueue()
        self.queue = queue
        let thread = Thread { queue.run() }
        thread.name = name
        thread.stackSize = 1 << 20
        queue.bind(to: asUnownedSerialExecutor())
        thread.start()
    }

    deinit {
        queue.close()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        queue.add(UnownedJob(job))
    }
}

/// The jobs that wait for the thread. It outlives the executor until the last job has run.
private final class JobQueue: @unchecked Sendable {
    // All state is guarded by `condition`.
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var closed = false
    private var executor: UnownedSerialExecutor?

    func bind(to executor: UnownedSerialExecutor) {
        self.executor = executor
    }

    func add(_ job: UnownedJob) {
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    func close() {
        condition.lock()
        closed = true
        condition.signal()
        condition.unlock()
    }

    func run() {
        while true {
            condition.lock()
            while jobs.isEmpty && !closed { condition.wait() }
            let batch = jobs
            jobs.removeAll(keepingCapacity: true)
            let finished = batch.isEmpty && closed
            condition.unlock()
            if finished { return }
            for job in batch { job.runSynchronously(on: executor!) }
        }
    }
}
