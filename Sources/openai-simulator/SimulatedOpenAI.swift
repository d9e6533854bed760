import Foundation
import Model
import SimulatorKit

/// A chat completions endpoint: request in, answer out. Time is passed in and nothing waits.
///
/// Errors are worded and shaped as OpenAI's. Source: OpenAI API reference, "Create chat completion" and "Error codes".
struct SimulatedOpenAI: Sendable {
    enum Schemas: String, Sendable, CaseIterable {
        case honoured
        /// Answers 200 as if none had been sent, as some compatible servers do.
        case ignored
        case refused
    }

    /// What is answered to one message.
    struct Recorded: Sendable {
        var content: String
        var again: String?
        var refusal: String?
        var finishReason = "stop"
        /// Sent as it is, in place of a chat completion.
        var raw: Answer?
    }

    private let key: String?
    var schemas: Schemas
    /// Milliseconds.
    var latency = 0
    var faults = Faults()
    private(set) var books = Books()
    private var recorded: [String: Recorded] = [:]

    init(key: String?, schemas: Schemas) {
        self.key = key
        self.schemas = schemas
    }

    mutating func record(_ text: String, _ answer: Recorded) {
        recorded[text] = answer
    }

    /// Reads a recording.
    ///
    /// - Throws: ``RecordingError`` naming the line.
    mutating func load(_ lines: String) throws {
        for (number, line) in lines.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            let json = (try? JSONDocument(String(line)))?.root
            guard let json, let text = json["text"]?.string, let answer = Recorded(json) else {
                throw RecordingError(line: number + 1)
            }
            record(text, answer)
        }
    }

    /// Takes a request in, counts it and decides about its answer.
    mutating func begin(_ request: APIRequest, at now: Timestamp) -> Answer {
        books.begin(isPaused: faults.isPaused(at: now))
        let answer = answer(to: request, at: now)
        books.count(answer)
        return answer
    }

    /// The answer leaves.
    mutating func end(_ answer: Answer, at now: Timestamp) {
        books.end()
        if answer.status == 429 && answer.headers.contains(where: { $0.name == "retry-after-ms" }) {
            faults.sent(at: now)
        }
    }

    private mutating func answer(to request: APIRequest, at now: Timestamp) -> Answer {
        guard request.path == "/v1/chat/completions" else {
            return .error(404, "Invalid URL (\(request.method) \(request.path))", code: nil)
        }
        guard request.method == "POST" else {
            return .error(405, "Not allowed to \(request.method) on \(request.path)", code: nil)
        }
        let bearer = request.authorization.flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        guard let bearer, !bearer.isEmpty else {
            return .error(401, "You didn't provide an API key.", code: nil)
        }
        guard key == nil || bearer == key else {
            return .error(401, "Incorrect API key provided: \(bearer.prefix(4))****.", code: "invalid_api_key")
        }
        if case .answer(let fault)? = faults.meet(at: now) { return fault }
        do {
            let asked = try ChatRequestChecker.check(request)
            guard schemas != .refused || asked.schema == nil else {
                return .error(400, "response_format is not supported by this server", param: "response_format")
            }
            return completion(asked)
        } catch let error as RequestProblem {
            return .error(400, error.message, param: error.param)
        } catch {
            return .error(400, "We could not parse the JSON body of your request.", code: nil)
        }
    }

    // MARK: Answers

    private mutating func completion(_ asked: AskedChat) -> Answer {
        books.asked(asked.text)
        let recorded = recorded[asked.text] ?? self.recorded[asked.message]
        if let raw = recorded?.raw { return raw }
        var content: String
        if let recorded {
            content = asked.isAgain ? recorded.again ?? recorded.content : recorded.content
        } else if schemas == .honoured, let schema = asked.schema {
            content = SmallestInstance.of(schema.root)
        } else {
            content = "hello"
        }
        var finish = recorded?.finishReason ?? "stop"
        if let limit = asked.maximumTokens, Self.tokens(content) > limit {
            content = String(decoding: Array(content.utf8.prefix(limit * 4)), as: UTF8.self)
            finish = "length"
        }
        let prompt = asked.promptBytes / 4 + 1
        let answer = Answer { writer in
            Self.write(
                &writer,
                asked,
                content: recorded?.refusal == nil ? content : nil,
                refusal: recorded?.refusal,
                finish,
                prompt: prompt
            )
        }
        books.spent(prompt + Self.tokens(content))
        return faults.shorten(answer)
    }

    private static func tokens(_ text: String) -> Int { (text.utf8.count + 3) / 4 }

    private static func write(
        _ writer: inout JSONWriter,
        _ asked: AskedChat,
        content: String?,
        refusal: String?,
        _ finish: String,
        prompt: Int
    ) {
        let completion = tokens(content ?? refusal ?? "")
        writer.object { writer in
            func member(_ key: String, _ value: String?, _ writer: inout JSONWriter) {
                writer.key(key)
                writer.value(value)
            }
            func member(_ key: String, _ value: Int, _ writer: inout JSONWriter) {
                writer.key(key)
                writer.value(value)
            }
            member("id", "chatcmpl-simulated", &writer)
            member("object", "chat.completion", &writer)
            member("created", 1_767_225_600, &writer)
            member("model", asked.model, &writer)
            writer.key("choices")
            writer.array { writer in
                writer.object { writer in
                    member("index", 0, &writer)
                    writer.key("message")
                    writer.object { writer in
                        member("role", "assistant", &writer)
                        member("content", content, &writer)
                        member("refusal", refusal, &writer)
                    }
                    writer.key("logprobs")
                    writer.null()
                    member("finish_reason", finish, &writer)
                }
            }
            writer.key("usage")
            writer.object { writer in
                member("prompt_tokens", prompt, &writer)
                member("completion_tokens", completion, &writer)
                member("total_tokens", prompt + completion, &writer)
            }
        }
    }
}

extension SimulatedOpenAI.Recorded {
    init?(_ json: JSONView) {
        let refusal = json["refusal"]?.string
        let raw = Self.raw(json)
        guard let content = json["content"]?.string ?? (refusal != nil || raw != nil ? "" : nil) else { return nil }
        self.init(
            content: content,
            again: json["again"]?.string,
            refusal: refusal,
            finishReason: json["finish_reason"]?.string ?? "stop",
            raw: raw
        )
    }

    /// `{"body": "…" or "body_base64": "…", "status": 200, "headers": {"Content-Type": "…"}}`.
    private static func raw(_ json: JSONView) -> Answer? {
        let decoded = json["body_base64"]?.string.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
        guard let body = json["body"]?.string.map({ Array($0.utf8) }) ?? decoded else { return nil }
        var answer = Answer(status: Int(json["status"]?.integer ?? 200), json: body)
        guard let headers = json["headers"] else { return answer }
        answer.headers = []
        for (name, value) in headers.members { answer.add(name, value.string ?? "") }
        return answer
    }
}

/// A line of a recording that cannot be served.
struct RecordingError: Error, CustomStringConvertible {
    var line: Int
    var description: String { "line \(line) is no {\"text\":…, \"content\":…}" }
}

extension Answer {
    static func error(_ status: Int, _ message: String, code: String?) -> Answer {
        error(status, message, type: "invalid_request_error", code: code, param: nil)
    }

    static func error(_ status: Int, _ message: String, param: String?) -> Answer {
        error(status, message, type: "invalid_request_error", code: nil, param: param)
    }

    static func error(_ status: Int, _ message: String, type: String, code: String?, param: String? = nil) -> Answer {
        Answer(status: status) { writer in
            writer.object { writer in
                writer.key("error")
                writer.object { writer in
                    for (key, value) in [("message", message), ("type", type), ("param", param), ("code", code)] {
                        writer.key(key)
                        writer.value(value)
                    }
                }
            }
        }
    }
}
