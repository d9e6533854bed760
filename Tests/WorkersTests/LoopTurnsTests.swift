import Model
import Testing

@testable import Workers

@Suite struct LoopTurnsTests {
    private let one = Snowflake(1)
    private let two = Snowflake(2)
    private let three = Snowflake(3)

    private func turns(_ loops: Snowflake...) -> LoopTurns {
        let turns = LoopTurns()
        for loop in loops { turns.began(loop) }
        return turns
    }

    @Test func aHeartbeatNeedsATurnOfEveryLoop() {
        let turns = turns(one, two, three)
        #expect([one, one, two, one, two].map { turns.turned($0) } == [false, false, false, false, false])
        #expect(turns.turned(three))
        #expect([three, two, three].map { turns.turned($0) } == [false, false, false], "each is asked anew")
        #expect(turns.turned(one))
    }

    @Test func oneThatHangsKeepsAllFromBeating() {
        let turns = turns(one, two)
        #expect(!(0..<1000).contains { _ in turns.turned(one) })
    }

    @Test func loopsComeAndGo() {
        let turns = turns(one)
        #expect((0..<10).allSatisfy { _ in turns.turned(one) })
        turns.began(two)
        #expect(!turns.turned(one))
        turns.ended(two)
        #expect(turns.turned(one) && !turns.isEmpty)
        turns.ended(one)
        #expect(turns.isEmpty)
    }
}
