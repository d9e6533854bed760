import Model
import SimulatorKit

/// What was answered, counted.
struct Books: Sendable {
    /// Discord bans an address that causes so many invalid answers (401, 403, 429) within ten minutes.
    var invalidLimit: Int
    private(set) var requests = 0
    private(set) var byStatus: [String: Int] = [:]
    private(set) var invalid = 0
    private(set) var limited = 0
    private var windowOpened = Timestamp(microseconds: 0)
    private var invalidInWindow = 0

    private static let window: Int64 = 600 * 1_000_000

    init(invalidLimit: Int) {
        self.invalidLimit = invalidLimit
    }

    mutating func count(_ answer: Answer, at now: Timestamp) {
        requests += 1
        byStatus[answer.countedAs, default: 0] += 1
        guard answer.delivery == .whole else { return }
        if answer.status == 429 { limited += 1 }
        let isShared = answer.headers.contains { $0.name == "X-RateLimit-Scope" && $0.value == "shared" }
        guard [401, 403, 429].contains(answer.status), !isShared else { return }
        invalid += 1
        if now.microseconds - windowOpened.microseconds >= Self.window {
            windowOpened = now
            invalidInWindow = 0
        }
        invalidInWindow += 1
    }

    /// Microseconds for which the address stays banned, when it is.
    func ban(at now: Timestamp) -> Int64? {
        let rest = windowOpened.microseconds + Self.window - now.microseconds
        return invalidInWindow >= invalidLimit && rest > 0 ? rest : nil
    }
}
