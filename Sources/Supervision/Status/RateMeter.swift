/// How fast a child's counters change, over about the last ten seconds.
struct RateMeter: Sendable {
    static let window = Duration.seconds(10)
    /// Counters that come more often than this are taken once.
    private static let resolution = Duration.seconds(1)

    private struct Sample {
        var time: Duration
        var counts: [String: Int64]
    }

    private var samples: [Sample] = []

    /// A new process counts from nothing.
    mutating func start(at now: Duration) {
        samples = [Sample(time: now, counts: [:])]
    }

    mutating func add(_ counts: [String: Int64], at now: Duration) {
        if samples.count > 1, samples[samples.count - 1].time - samples[samples.count - 2].time < Self.resolution {
            samples.removeLast()
        }
        samples.append(Sample(time: now, counts: counts))
        // One of those that are too old is the beginning of the window.
        while samples.count > 1, now - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// The change of each counter in a second.
    func rates(at now: Duration) -> [String: Double] {
        guard let last = samples.last,
            let first = samples.last(where: { now - $0.time >= Self.window }) ?? samples.first
        else { return [:] }
        let seconds = max(now - first.time, Self.resolution).seconds
        return last.counts.reduce(into: [:]) { rates, counter in
            rates[counter.key] = (Double(counter.value) - Double(first.counts[counter.key] ?? 0)) / seconds
        }
    }
}
