import Messaging
import Model
import Testing

@testable import Workers

@Suite struct FailedMessageTests {
    private let topology = Topology(prefix: "desk")
    private let start = Timestamp(iso8601: "2026-01-02T03:04:05Z")!

    private func next(_ failed: FailedMessage, _ fault: Fault, minutes: Int64 = 0) -> OutgoingMessage {
        failed.next(
            after: fault,
            topology: topology,
            pipeline: "desk",
            worker: "store/1",
            generation: 7,
            at: Timestamp(microseconds: start.microseconds + minutes * 60_000_000)
        )
    }

    private func message(_ headers: WireHeaders? = nil) -> FailedMessage {
        FailedMessage(stage: "store", type: "record.batch", body: Array("[1]".utf8), messageID: "42", received: headers)
    }

    @Test func aTransientFaultGoesThroughEveryLevelAndThenDies() {
        let fault = Fault(.transient, code: "XX000", "odd")
        var headers: WireHeaders? = WireHeaders(pipeline: "desk", replay: "r1")
        var exchanges: [String] = []
        for minute in 0..<6 {
            let outgoing = next(message(headers), fault, minutes: Int64(minute))
            exchanges.append(outgoing.exchange)
            #expect(outgoing.routingKey == "store" && outgoing.messageID == "42" && outgoing.type == "record.batch")
            #expect(outgoing.body == Array("[1]".utf8))
            headers = outgoing.headers
        }
        #expect(
            exchanges
                == ["desk.retry.1s", "desk.retry.5s", "desk.retry.30s", "desk.retry.2m", "desk.retry.10m", "desk.dead"]
        )
        #expect(headers?.attempt == 5)
        #expect(headers?.attemptTimes.count == 6)
        #expect(headers?.attemptTimes.first == start && headers?.firstAt == start)
        #expect(headers?.error == "transient XX000: odd")
        #expect(headers?.worker == "store/1" && headers?.generation == 7 && headers?.replay == "r1")
    }

    @Test func aPermanentFaultDiesAtOnce() {
        let outgoing = next(message(WireHeaders(pipeline: "desk", attempt: 2)), Fault(.permanent, "no"))
        #expect(outgoing.exchange == "desk.dead")
        #expect(outgoing.headers.attempt == 2)
    }

    @Test func aLongIDIsCutToWhatAMQPTakes() {
        var failed = message()
        failed.messageID = String(repeating: "é", count: 200)
        let outgoing = next(failed, Fault(.permanent, "no"))
        #expect(outgoing.messageID.utf8.count <= 255)
        // What differs only in the part that is cut off must not become one dead letter.
        failed.messageID += ":1"
        #expect(next(failed, Fault(.permanent, "no")).messageID != outgoing.messageID)
        failed.messageID = String(repeating: "x", count: 255)
        #expect(next(failed, Fault(.permanent, "no")).messageID == failed.messageID)
        #expect(outgoing.headers.pipeline == "desk")
    }
}
