import Logging
import Model
import Storage

/// Deletes what is older than `store.retention`, in the idle moments of the `deadletter` worker: once an hour, in small
/// transactions, a second's worth at a time.
struct RetentionSweep {
    private static let step = 500
    private static let patience: Duration = .seconds(1)
    private static let pause: Duration = .seconds(3600)

    private let days: Int
    private let logger: Logger
    private var next = ContinuousClock.now
    private var deleted = 0

    init(days: Int, logger: Logger) {
        self.days = days
        self.logger = logger
    }

    /// Deletes for a second at most, if it is time to. Trouble is logged, and tried again an hour later.
    mutating func run(_ store: any Store) async {
        guard days > 0, ContinuousClock.now >= next else { return }
        let end = ContinuousClock.now + Self.patience
        do {
            while ContinuousClock.now < end {
                let count = try await store.deleteExpired(days: days, limit: Self.step)
                deleted += count
                guard count < Self.step else { continue }
                finish()
                return
            }
        } catch {
            logger.warning("old messages cannot be deleted now", metadata: ["error": "\(error)"])
            finish()
        }
    }

    private mutating func finish() {
        if deleted > 0 {
            logger.info(
                "deleted what is older than store.retention",
                metadata: ["messages": "\(deleted)", "days": "\(days)"]
            )
        }
        deleted = 0
        next = .now + Self.pause
    }
}
