internal import Model

/// Lines that wait for the sink: a bounded ring for each child, and the order in which lines came. They wait as they
/// were read, so that one that is dropped in the end has cost next to nothing.
///
/// When the sink stalls, the oldest lines of whoever fills its ring go first and are counted.
struct LogBuffer: Sendable {
    struct Line: Sendable {
        var bytes: [UInt8]
        /// The child that printed it; `nil` for a finished line of the supervisor's own.
        var source: LogSource?
        var time: Timestamp

        /// What it takes of a ring: its text, and about what keeping a line takes beside it.
        var cost: Int { bytes.count + Self.overhead }
        static let overhead = 160
    }

    struct Dropped: Sendable, Equatable {
        var source: String
        var lines: Int
    }

    private struct Ring: Sendable {
        var lines: [(sequence: UInt64, line: Line?)] = []
        var first = 0
        var bytes = 0
        var dropped = 0

        var isEmpty: Bool { first == lines.count }
        /// Of the oldest line; there must be one.
        var firstSequence: UInt64 { lines[first].sequence }

        mutating func removeFirst() -> Line {
            let line = lines[first].line!
            lines[first].line = nil
            first += 1
            bytes -= line.cost
            if first == lines.count || first > 1024 {
                lines.removeFirst(first)
                first = 0
            }
            return line
        }
    }

    /// So many lines are taken at once: made into JSON, a short line is many times as long.
    private static let mostTaken = 8192

    private let maximumBytes: Int
    private var rings: [String: Ring] = [:]
    private var sequence: UInt64 = 0
    private(set) var droppedInAll = 0

    /// - Parameter maximumBytes: of one child's ring.
    init(maximumBytes: Int = 1 << 20) {
        self.maximumBytes = maximumBytes
    }

    var isEmpty: Bool { rings.isEmpty }

    /// - Parameter source: whose ring they go to.
    mutating func append(_ lines: [Line], to source: String) {
        guard !lines.isEmpty else { return }
        // Out and in again, so that the ring is changed in place.
        var ring = rings.removeValue(forKey: source) ?? Ring()
        for line in lines {
            sequence += 1
            while !ring.isEmpty && ring.bytes + line.cost > maximumBytes {
                _ = ring.removeFirst()
                ring.dropped += 1
                droppedInAll += 1
            }
            ring.lines.append((sequence, line))
            ring.bytes += line.cost
        }
        rings[source] = ring
    }

    /// The oldest lines of all, about so many bytes of them, and what was lost before them.
    mutating func take(_ bytes: Int) -> (lines: [Line], dropped: [Dropped]) {
        let dropped = rings.keys.sorted().compactMap { source -> Dropped? in
            guard let lines = rings[source]?.dropped, lines > 0 else { return nil }
            rings[source]!.dropped = 0
            return Dropped(source: source, lines: lines)
        }
        var taken: [Line] = []
        var total = 0
        while total < bytes, taken.count < Self.mostTaken, let source = oldest {
            var ring = rings.removeValue(forKey: source)!
            // As many as came before any line of another child: who floods has long runs.
            let end = rings.values.lazy.map(\.firstSequence).min() ?? .max
            repeat {
                let line = ring.removeFirst()
                taken.append(line)
                total += line.bytes.count
            } while total < bytes && taken.count < Self.mostTaken && !ring.isEmpty && ring.firstSequence < end
            if !ring.isEmpty { rings[source] = ring }
        }
        return (taken, dropped)
    }

    private var oldest: String? {
        rings.min { $0.value.firstSequence < $1.value.firstSequence }?.key
    }
}
