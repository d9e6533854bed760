/// Finished lines that wait for the sink: a bounded ring for each child, and the order in which lines came.
///
/// When the sink stalls, the oldest lines of whoever fills its ring go first and are counted.
struct LogBuffer: Sendable {
    struct Dropped: Sendable, Equatable {
        var source: String
        var lines: Int
    }

    private struct Ring: Sendable {
        var lines: [(sequence: UInt64, line: [UInt8])] = []
        var first = 0
        var bytes = 0
        var dropped = 0

        var isEmpty: Bool { first == lines.count }

        mutating func removeFirst() -> [UInt8] {
            let line = lines[first].line
            lines[first].line = []
            first += 1
            bytes -= line.count
            if first == lines.count || first > 1024 {
                lines.removeFirst(first)
                first = 0
            }
            return line
        }
    }

    private let maximumBytes: Int
    private var rings: [String: Ring] = [:]
    private var sequence: UInt64 = 0
    private(set) var droppedInAll = 0

    /// - Parameter maximumBytes: of one child's ring.
    init(maximumBytes: Int = 1 << 20) {
        self.maximumBytes = maximumBytes
    }

    var isEmpty: Bool { rings.isEmpty }

    mutating func append(_ line: [UInt8], from source: String) {
        sequence += 1
        var ring = rings.removeValue(forKey: source) ?? Ring()
        while !ring.isEmpty && ring.bytes + line.count > maximumBytes {
            _ = ring.removeFirst()
            ring.dropped += 1
            droppedInAll += 1
        }
        ring.lines.append((sequence, line))
        ring.bytes += line.count
        rings[source] = ring
    }

    /// The oldest lines of all, about so many bytes of them, and what was lost before them.
    mutating func take(_ bytes: Int) -> (lines: [UInt8], dropped: [Dropped]) {
        let dropped = rings.keys.sorted().compactMap { source -> Dropped? in
            guard let lines = rings[source]?.dropped, lines > 0 else { return nil }
            rings[source]!.dropped = 0
            return Dropped(source: source, lines: lines)
        }
        var taken: [UInt8] = []
        while taken.count < bytes, let source = oldest {
            // Out and in again, so that the ring is changed in place.
            var ring = rings.removeValue(forKey: source)!
            taken += ring.removeFirst()
            if !ring.isEmpty { rings[source] = ring }
        }
        return (taken, dropped)
    }

    private var oldest: String? {
        rings.min { left, right in
            left.value.lines[left.value.first].sequence < right.value.lines[right.value.first].sequence
        }?.key
    }
}
