/// Shows on a terminal how far long work has come; says nothing elsewhere, and nothing about what is done at once.
struct ProgressLine {
    private let total: Int
    private let noun: String
    private var done = 0
    private var shown = ContinuousClock.now
    private var isShown = false

    init(of total: Int, noun: String) {
        self.total = total
        self.noun = noun
    }

    mutating func advance() {
        done += 1
        guard Terminal.errorIsTerminal, done % 64 == 0 else { return }
        let now = ContinuousClock.now
        guard now - shown >= .milliseconds(200) else { return }
        shown = now
        isShown = true
        Terminal.raw("\r\(done) of \(total) \(noun)")
    }

    /// Takes the line away.
    func end() {
        if isShown { Terminal.raw("\r\u{1B}[K") }
    }
}
