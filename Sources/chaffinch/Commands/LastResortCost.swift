import Foundation
import Model
import PipelineFile
import Remote
import Rules
import Workers

/// Says what the last resort would make of a text, and what asking would cost. It asks nobody.
struct LastResortCost {
    var pipeline: Pipeline
    var hasKey: Bool
    /// The rule that has read the text.
    var winner: ParserExplanation?

    func told(of one: LastResortExplanation) -> String {
        let rule = one.rule
        let status = rule.status == .shadow ? ", shadow" : ""
        let place = Terminal.styled("(\(rule.file), last resort, priority \(rule.priority)\(status))", .dim)
        return "\(Terminal.styled(rule.id, .bold)) \(place): \(outcome(one))"
    }

    private func outcome(_ one: LastResortExplanation) -> String {
        switch one.admission {
        case .otherChannel: return "not asked: 'channels' does not name this channel"
        case .noText: return "not asked: there is no text"
        case .tooLong: return "not asked: the text is longer than \(RuleSet.longestText) bytes"
        case .takenBy(let id): return "not asked: one request serves a message, and \(id) comes first"
        case .gateClosed:
            guard case .given(let literals) = one.rule.gate else { return "not asked" }
            return "not asked: its gate wants one of \(literals.map { "'\($0)'" }.joined(separator: ", "))"
        case .admitted(let question):
            if let winner { return "not asked: \(winner.summary.id) has read the message" }
            guard hasKey else { return "not asked: openai.api_key is not set, so the last resort is off" }
            return asked(question, one.rule.status)
        }
    }

    private func asked(_ question: Question, _ status: RuleStatus) -> String {
        let settings = pipeline.openai
        let conversation = Conversation(question, settings, support: .honoured)
        guard let request = conversation.request else {
            return "not asked: it does not fit into \(settings.messageTokens) tokens; the message would be skipped"
        }
        guard request.tokensSetAside <= min(settings.dailyTokens, settings.channelTokens ?? .max) else {
            return
                "not asked: one request sets aside \(request.tokensSetAside) tokens, which is more than a day may cost"
        }
        let plugins = pipeline.plugins.map(\.name).joined(separator: ", ")
        let condition = plugins.isEmpty ? "asked" : "asked, unless \(plugins) reads the message first"
        let effect = status == .shadow ? "; shadow: what comes of it is counted and not written" : ""
        return """
            \(condition): \(settings.model) at \(URLText.shown(settings.baseURL))\(effect)
              about \(request.estimatedPromptTokens) tokens of prompt; \(request.tokensSetAside) are set aside of \
            \(settings.dailyTokens) a day until the answer tells its cost
              nothing is sent when the same text was answered before
            """
    }
}

extension ConfigOption {
    /// Whether there is a key for the last resort; not having one is no mistake here.
    func hasOpenAIKey(_ check: PipelineCheck) -> Bool {
        guard let file = check.sources.first, let key = check.pipeline?.openai.apiKey else { return false }
        let reading = PipelineReader.read(
            file,
            folder: URL(fileURLWithPath: config).standardizedFileURL.deletingLastPathComponent().path,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: true,
            needed: [.openAIKey]
        )
        return reading.secrets[key.variable].map { !$0.isEmpty } ?? false
    }
}
