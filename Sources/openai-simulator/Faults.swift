import Model
import SimulatorKit

/// The faults that were asked for, one after the other, each for a number of requests or for a time.
struct Faults: Sendable {
    enum Mode: String, Sendable, CaseIterable {
        case serverError = "500"
        case unavailable = "503"
        case tooMany = "429"
        /// 429 of the other kind: no money left.
        case quota
        /// A proxy's page with status 200.
        case html
        /// An answer without its second half; by turns the connection closes early, and the JSON ends early.
        case cut
        case hang
        case reset
    }

    struct Fault: Sendable {
        var mode: Mode
        var until: Timestamp?
        var requests: Int?
        /// For `429`: what it asks for, in milliseconds; absent: it names no time.
        var retryAfter: Int64?
    }

    enum Met: Sendable {
        case answer(Answer)
        case cut
    }

    private var faults: [Fault] = []
    private var cuts = 0
    private var isCutting = false
    /// What each 429 under way asks for, and from when to when the clients that read it must be silent.
    private var announced: [Int64] = []
    private var pause: Range<Timestamp>?
    /// A client cannot hold back what it sends while a 429 is on its way.
    private static let onTheWay: Int64 = 50_000

    mutating func add(_ fault: Fault) {
        faults.append(fault)
    }

    mutating func clear() {
        faults = []
        isCutting = false
    }

    /// The fault that meets a request now, which counts it.
    mutating func meet(at now: Timestamp) -> Met? {
        isCutting = false
        faults.removeAll { fault in fault.until.map { $0 <= now } ?? false }
        guard let fault = faults.first else { return nil }
        if let requests = fault.requests {
            faults[0].requests = requests - 1
            if requests <= 1 { faults.removeFirst() }
        }
        switch fault.mode {
        case .serverError:
            return .answer(.error(500, "The server had an error.", type: "server_error", code: nil))
        case .unavailable:
            return .answer(.error(503, "The engine is currently overloaded.", type: "server_error", code: nil))
        case .tooMany: return .answer(tooMany(fault, at: now))
        case .quota:
            let text = "You exceeded your current quota, please check your plan and billing details."
            return .answer(.error(429, text, type: "insufficient_quota", code: "insufficient_quota"))
        case .html: return .answer(Answer(status: 200, html: "Please log in to the guest network"))
        case .cut:
            isCutting = true
            return .cut
        case .hang: return .answer(.silence(.hang(microseconds: 300_000_000), countedAs: "hang"))
        case .reset: return .answer(.silence(.reset, countedAs: "reset"))
        }
    }

    private mutating func tooMany(_ fault: Fault, at now: Timestamp) -> Answer {
        var answer = Answer.error(
            429,
            "Rate limit reached for requests.",
            type: "requests",
            code: "rate_limit_exceeded"
        )
        if let wait = fault.retryAfter {
            answer.add("retry-after-ms", String(wait))
            answer.add("retry-after", String((wait + 999) / 1000))
            announced.append(wait)
        }
        return answer
    }

    /// A 429 leaves the simulator.
    mutating func sent(at now: Timestamp) {
        guard !announced.isEmpty else { return }
        let start = now.microseconds + Self.onTheWay
        let end = max(start, now.microseconds + announced.removeFirst() * 1000)
        pause = Timestamp(microseconds: start)..<Timestamp(microseconds: end)
    }

    func isPaused(at now: Timestamp) -> Bool { pause?.contains(now) ?? false }

    mutating func shorten(_ answer: Answer) -> Answer {
        guard isCutting else { return answer }
        cuts += 1
        return answer.cutShort(closesEarly: cuts % 2 == 1)
    }
}
