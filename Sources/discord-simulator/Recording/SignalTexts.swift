/// The levels of one trading signal.
struct SignalLevels {
    var instrument: Instrument
    var isLong: Bool
    var entry: Int
    /// The other edge of an entry range.
    var entryEdge: Int?
    var stop: Int
    var targets: [Int]

    init(_ instrument: Instrument, targets count: Int, isRange: Bool, using random: inout SeededGenerator) {
        self.instrument = instrument
        isLong = random.integer(in: 0...1) == 0
        let step = instrument.step
        entry = instrument.price + random.integer(in: -3 * step...3 * step)
        let away = isLong ? 1 : -1
        entryEdge = isRange ? entry + away * max(1, step / 3) : nil
        stop = entry - away * random.integer(in: step * 2 / 3...step * 4 / 3)
        var level = entryEdge ?? entry
        targets = []
        for _ in 0..<count {
            level += away * random.integer(in: step * 3 / 4...step * 3 / 2)
            targets.append(level)
        }
    }

    /// The entry as written: a price, or both edges of a range.
    func entryText(_ text: (Int) -> String) -> String {
        entryEdge.map { "\(text(entry))-\(text($0))" } ?? text(entry)
    }
}

/// The shapes in which people write trading signals.
enum SignalTexts {
    /// A signal in one of the shapes.
    static func any(of instruments: [Instrument], using random: inout SeededGenerator) -> String {
        let levels = SignalLevels(
            random.element(of: instruments),
            targets: random.integer(in: 1...3),
            isRange: random.once(in: 2),
            using: &random
        )
        switch random.integer(in: 0...9) {
        case 0, 1: return lines(levels)
        case 2: return oneLine(levels)
        case 3: return swing(levels, risk: random.integer(in: 1...4))
        case 4: return buyOrSell(levels)
        case 5: return levels.instrument.name == "BTC" ? thousands(levels) : lines(levels)
        case 6: return bold(levels)
        case 7: return leveraged(levels, by: random.element(of: [3, 5, 10, 20]))
        case 8: return lowercase(levels)
        default: return lines(levels) + "\n\n" + anotherSignal(of: instruments, than: levels, using: &random)
        }
    }

    /// Side, entry, one stop and two targets, a line each: the shape of the benchmarks.
    static func plain(_ instrument: Instrument, using random: inout SeededGenerator) -> String {
        lines(SignalLevels(instrument, targets: 2, isRange: true, using: &random))
    }

    private static func lines(_ levels: SignalLevels) -> String {
        let text = levels.instrument.text
        var lines = ["\(levels.instrument.name) \(side(levels))", "Entry: \(levels.entryText(text))"]
        lines.append("SL: \(text(levels.stop))")
        for (place, target) in levels.targets.enumerated() { lines.append("TP\(place + 1): \(text(target))") }
        return lines.joined(separator: "\n")
    }

    private static func oneLine(_ levels: SignalLevels) -> String {
        lines(levels).replacing("\n", with: " ")
    }

    private static func swing(_ levels: SignalLevels, risk: Int) -> String {
        var parts = lines(levels).split(separator: "\n").map(String.init)
        parts[0] += " swing"
        parts.insert("Risk: \(risk == 4 ? "0.5" : String(risk))%", at: 2)
        return parts.joined(separator: "\n")
    }

    private static func buyOrSell(_ levels: SignalLevels) -> String {
        lines(levels)
            .replacing(" long", with: " BUY", maxReplacements: 1)
            .replacing(" short", with: " SELL", maxReplacements: 1)
    }

    /// Prices in thousands, such as 68.5k.
    private static func thousands(_ levels: SignalLevels) -> String {
        let text = levels.instrument.thousandsText
        var lines = ["\(levels.instrument.name) \(side(levels))", "Entry: \(levels.entryText(text))"]
        lines.append("SL: \(text(levels.stop))")
        for (place, target) in levels.targets.enumerated() { lines.append("TP\(place + 1): \(text(target))") }
        return lines.joined(separator: "\n")
    }

    private static func bold(_ levels: SignalLevels) -> String {
        let text = levels.instrument.groupedText
        var lines = ["📈 **\(levels.instrument.name) \(side(levels).uppercased())**"]
        lines.append("**Entry:** \(levels.entryText(text))")
        lines.append("**SL:** \(text(levels.stop))")
        for (place, target) in levels.targets.enumerated() { lines.append("**TP\(place + 1):** \(text(target))") }
        return lines.joined(separator: "\n")
    }

    private static func leveraged(_ levels: SignalLevels, by factor: Int) -> String {
        lines(levels) + "\nLeverage: \(factor)x"
    }

    private static func lowercase(_ levels: SignalLevels) -> String {
        lines(levels).lowercased()
    }

    private static func anotherSignal(
        of instruments: [Instrument],
        than levels: SignalLevels,
        using random: inout SeededGenerator
    ) -> String {
        let others = instruments.filter { $0.name != levels.instrument.name }
        return lines(SignalLevels(random.element(of: others), targets: 2, isRange: false, using: &random))
    }

    private static func side(_ levels: SignalLevels) -> String { levels.isLong ? "long" : "short" }
}
