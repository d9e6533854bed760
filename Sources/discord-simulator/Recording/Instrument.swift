/// Something traded, with prices as whole ticks so that nothing is ever rounded.
struct Instrument {
    var name: String
    /// A price of winter 2024, in ticks.
    var price: Int
    /// How many decimals a price is written with.
    var decimals: Int
    /// The distance from the entry to the first level, in ticks.
    var step: Int

    /// A price as people write it, without trailing zeros.
    func text(_ ticks: Int) -> String {
        guard decimals > 0 else { return String(ticks) }
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        var fraction = String(ticks % scale)
        fraction = String(repeating: "0", count: decimals - fraction.count) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? String(ticks / scale) : "\(ticks / scale).\(fraction)"
    }

    /// With commas between thousands: `97,250`.
    func groupedText(_ ticks: Int) -> String {
        let parts = text(ticks).split(separator: ".")
        var grouped = ""
        for (place, digit) in parts[0].enumerated() {
            if place > 0 && (parts[0].count - place) % 3 == 0 { grouped += "," }
            grouped.append(digit)
        }
        return parts.count > 1 ? "\(grouped).\(parts[1])" : grouped
    }

    /// In thousands: `97.25k`.
    func thousandsText(_ ticks: Int) -> String {
        Instrument(name: name, price: price, decimals: decimals + 3, step: step).text(ticks) + "k"
    }

    static let crypto = [
        Instrument(name: "BTC", price: 97_000, decimals: 0, step: 900),
        Instrument(name: "ETH", price: 36_500, decimals: 1, step: 450),
        Instrument(name: "SOL", price: 22_400, decimals: 2, step: 380),
        Instrument(name: "AVAX", price: 4_420, decimals: 2, step: 90),
        Instrument(name: "LINK", price: 2_280, decimals: 2, step: 55),
        Instrument(name: "DOGE", price: 39_200, decimals: 5, step: 900),
        Instrument(name: "ARB", price: 8_900, decimals: 4, step: 210),
        Instrument(name: "ADA", price: 10_450, decimals: 4, step: 230),
    ]

    static let metalsAndCurrencies = [
        Instrument(name: "XAUUSD", price: 26_480, decimals: 1, step: 65),
        Instrument(name: "XAGUSD", price: 30_450, decimals: 3, step: 240),
        Instrument(name: "EURUSD", price: 104_620, decimals: 5, step: 240),
        Instrument(name: "GBPUSD", price: 126_150, decimals: 5, step: 310),
        Instrument(name: "USDJPY", price: 152_340, decimals: 3, step: 420),
        Instrument(name: "NAS100", price: 21_350, decimals: 0, step: 110),
    ]
}
