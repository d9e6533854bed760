import Logging
import Messaging
import Model

extension WorkerContext {
    /// Runs `body` until the service it needs is there: waits while it fails with an outage, says so once, and again
    /// when it is back. After a few failures the service's breaker opens, and `consumer` takes no more deliveries until
    /// a call succeeds; what it has in hand stays there, and no attempt is counted.
    ///
    /// - Returns: `nil` when the process drains meanwhile.
    /// - Throws: what `body` throws otherwise.
    func untilAvailable<Result: Sendable>(
        _ service: Service,
        pausing consumer: Consumer? = nil,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result? {
        var failures = 0
        while true {
            do {
                let isAway = failures > 0
                let result = try await showingLife(waitingFor: { isAway ? "the \(service.rawValue)" : nil }, body)
                services.succeeded(service)
                if failures > 0 {
                    logger.info("the \(service.rawValue) is back")
                    consumer?.resume()
                }
                return result
            } catch  where Fault(error).kind == .outage {
                if failures == 0 {
                    logger.warning(
                        "the \(service.rawValue) is not available; waiting",
                        metadata: ["error": "\(error)"]
                    )
                }
                failures += 1
                let wait = services.failed(service)
                if services.isOpen(service) { consumer?.pause() }
                turn("the \(service.rawValue)")
                control.say(.extend(milliseconds: 60_000))
                guard await drain.sleep(for: wait) else { return nil }
            } catch {
                // The service answers, so the outage is over whatever it says.
                if failures > 0 {
                    services.succeeded(service)
                    consumer?.resume()
                }
                throw error
            }
        }
    }
}
