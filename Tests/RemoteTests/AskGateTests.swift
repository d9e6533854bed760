import Model
import Testing

@testable import Remote

@Suite struct AskGateTests {
    private static let settings = Breaker.Settings(failures: 3, window: .seconds(60), open: .seconds(30))

    @Test("nothing is sent before what a 429 asked for has passed, and a little longer")
    func limited() {
        var gate = AskGate(Self.settings)
        #expect(gate.ask(at: .zero) == .now)
        gate.failed(.limited(.seconds(5)), at: .seconds(1), random: 0.5)
        #expect(gate.ask(at: .seconds(1)) == .wait(.seconds(5) * 1.1))
        #expect(gate.ask(at: .seconds(6)) == .wait(.seconds(5) * 1.1 - .seconds(5)))
        #expect(gate.ask(at: .seconds(7)) == .now)
        // A shorter wait told later does not open a longer one.
        gate.failed(.limited(.seconds(60)), at: .seconds(7), random: 0)
        gate.failed(.limited(.seconds(1)), at: .seconds(7), random: 0)
        #expect(gate.ask(at: .seconds(10)) == .parked(until: .seconds(67)))
        #expect(!gate.isOpen)
    }

    @Test("a 429 without a time waits longer each time, until an answer comes")
    func unnamed() {
        var gate = AskGate(Self.settings)
        var now = Duration.zero
        for expected in [1, 2, 4, 8] {
            gate.failed(.limited(nil), at: now, random: 0)
            #expect(gate.ask(at: now) == .wait(.seconds(expected)))
            now += .seconds(expected)
        }
        gate.answered()
        gate.failed(.limited(nil), at: now, random: 0)
        #expect(gate.ask(at: now) == .wait(.seconds(1)))
    }

    @Test(
        "a failure that will last opens it at once",
        arguments: [OpenAIFault.Kind.quotaSpent, .unauthorised, .notFound]
    )
    func trips(kind: OpenAIFault.Kind) {
        var gate = AskGate(Self.settings)
        gate.failed(kind, at: .seconds(1))
        #expect(gate.ask(at: .seconds(2)) == .parked(until: .seconds(31)))
        #expect(gate.isOpen)
    }

    @Test("half-open lets one request through, which decides")
    func probes() {
        var gate = AskGate(Self.settings)
        for _ in 0..<3 {
            #expect(gate.ask(at: .zero) == .now)
            gate.failed(.passing, at: .zero)
        }
        #expect(gate.ask(at: .seconds(29)) == .parked(until: .seconds(30)))
        #expect(gate.ask(at: .seconds(30)) == .now)
        #expect(gate.ask(at: .seconds(30)) == .wait(.milliseconds(250)))
        gate.failed(.passing, at: .seconds(31))
        #expect(gate.ask(at: .seconds(90)) == .parked(until: .seconds(91)))
        #expect(gate.ask(at: .seconds(91)) == .now)
        gate.abandoned()
        #expect(gate.ask(at: .seconds(91)) == .now)
        gate.answered()
        #expect(gate.ask(at: .seconds(91)) == .now)
        #expect(gate.ask(at: .seconds(91)) == .now)
    }
}
