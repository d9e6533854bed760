import Model
import SimulatorKit

/// The faults that were asked for, each in force for a time or for a number of requests.
struct FaultPlan: Sendable {
    enum Mode: String, Sendable, CaseIterable {
        /// A server error by Discord, as JSON.
        case serverError = "500"
        /// An unexpected 429 in a bucket that has room.
        case tooMany = "429"
        /// A page of the edge network instead of JSON.
        case html
        /// A page of messages cut short: by turns the connection closes early, and the JSON ends early.
        case cut
        /// Pages of messages hold a third of what was asked for, although more follows.
        case short
        case hang
        case reset
    }

    struct Fault: Sendable {
        var mode: Mode
        /// Absent: until it has hit ``requests`` times.
        var until: Timestamp?
        /// Absent: as often as it is met.
        var requests: Int?
        /// Absent: all requests, also those that concern no channel.
        var channel: UInt64?
        /// For `html` (502 by default).
        var status = 502
        /// For `429`; microseconds.
        var retryAfter: Int64 = 1_000_000
        /// For `429`: `user`, `global` or `shared`.
        var scope = "user"
    }

    /// A fault that meets a request.
    enum Hit: Sendable {
        case answer(Answer)
        /// The true answer is to be cut; every second time the connection closes early.
        case cut(closesEarly: Bool)
        /// The answer is true, but not all that was asked for.
        case short
    }

    /// Without a time or a number a hanging connection is let go after so long.
    private static let longestHang: Int64 = 300 * 1_000_000

    private var faults: [Fault] = []
    private var cuts = 0

    mutating func add(_ fault: Fault) {
        faults.append(fault)
    }

    /// Ends the faults of a channel, or all.
    mutating func clear(channel: UInt64?) {
        faults.removeAll { channel == nil || $0.channel == channel }
    }

    /// The fault that meets a request now, which counts it.
    mutating func hit(channel: UInt64?, at now: Timestamp) -> Hit? {
        faults.removeAll { fault in fault.until.map { $0 <= now } ?? false }
        guard let place = faults.firstIndex(where: { $0.channel == nil || $0.channel == channel }) else { return nil }
        let fault = faults[place]
        if let requests = fault.requests {
            faults[place].requests = requests - 1
            if requests <= 1 { faults.remove(at: place) }
        }
        switch fault.mode {
        case .serverError: return .answer(.internalServerError)
        case .tooMany: return .answer(.rateLimited(retryAfter: fault.retryAfter, scope: fault.scope))
        case .html: return .answer(Answer(status: fault.status, html: "Error \(fault.status)"))
        case .cut:
            cuts += 1
            return .cut(closesEarly: cuts % 2 == 1)
        case .short: return .short
        case .hang:
            let rest = fault.until.map { $0.microseconds - now.microseconds } ?? Self.longestHang
            return .answer(Answer.silence(.hang(microseconds: rest), countedAs: "hang"))
        case .reset: return .answer(Answer.silence(.reset, countedAs: "reset"))
        }
    }
}
