import Processes

/// How a plugin's process ended: what shells make of it.
struct PluginEnd: Error, Equatable, CustomStringConvertible {
    /// 0 to 255 as it exited, or 128 and the number of the signal that ended it; 127 and 126 when it could not start.
    let code: Int32
    let description: String

    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        code = signal == 0 ? (waitStatus >> 8) & 0xff : 128 + signal
        description = signal == 0 ? "ended with exit code \(code)" : "was ended by \(Signals.name(signal))"
    }

    init(code: Int32, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ failure: SpawnFailure) {
        code = failure.code
        description = "cannot run: \(failure.reason)"
    }
}

/// Why a question got no answer.
enum PluginFault: Error, Equatable, CustomStringConvertible {
    /// It ended before the question was put to it: no message is to blame.
    case wasGone(PluginEnd)
    /// It ended over the question.
    case ended(PluginEnd)
    case silent(Duration)
    case closedInput
    case closedOutput
    /// A line longer than ``PluginProcess/longestAnswer``.
    case endless
    /// More than the one line a question asks for: nobody knows which of them answers it.
    case severalLines
    /// It wrote its answer before it had read the whole question.
    case answeredEarly
    /// It wrote something before the question was put to it: no message is to blame.
    case spokeUnasked
    /// The process drains, and the time allowed for what is in hand is over.
    case interrupted

    var description: String {
        switch self {
        case .wasGone(let end), .ended(let end): "it \(end)"
        case .silent(let limit): "it gave no answer within \(limit.components.seconds) s"
        case .closedInput: "it closed its standard input"
        case .closedOutput: "it closed its standard output"
        case .endless: "its answer is longer than 1 MiB"
        case .severalLines: "it wrote more than one line for a message"
        case .answeredEarly: "it answered before it had read the whole message"
        case .spokeUnasked: "it wrote to its standard output without being asked"
        case .interrupted: "the stop did not leave it the time to answer"
        }
    }
}
