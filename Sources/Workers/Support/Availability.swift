import Logging
import Model
import Storage

extension WorkerContext {
    /// Runs `body` until the service it needs is there: waits with back-off while it fails with an outage, says so
    /// once, and again when it is back.
    ///
    /// - Returns: `nil` when the process drains meanwhile.
    /// - Throws: what `body` throws otherwise.
    func untilAvailable<Result: Sendable>(
        _ service: String,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result? {
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(5))
        while true {
            do {
                let isAway = backoff.attempts > 0
                let result = try await showingLife(waitingFor: { isAway ? service : nil }, body)
                if backoff.attempts > 0 { logger.info("\(service) is back") }
                return result
            } catch  where Fault(error).kind == .outage {
                if backoff.attempts == 0 {
                    logger.warning("\(service) is not available; waiting", metadata: ["error": "\(error)"])
                }
                turn(service)
                guard await drain.sleep(for: backoff.next()) else { return nil }
            }
        }
    }
}
