import Model
import SimulatorKit

/// The paths below `/simulator`, by which a test steers the simulator and asks what it did.
///
/// - `GET /simulator/stats`: what was asked and answered.
/// - `POST /simulator/faults`: `{"mode": "500|503|429|quota|html|cut|hang|reset|none"}` with `seconds` or `requests`;
///   `retry_after_ms` for `429`.
/// - `POST /simulator/answers`: lines of a recording.
/// - `POST /simulator/settings`: `{"latency_ms": 50, "schema": "honoured|ignored|refused"}`.
enum ControlEndpoint {
    static func answer(_ request: APIRequest, _ openai: inout SimulatedOpenAI, at now: Timestamp) -> Answer {
        switch (request.method, request.path) {
        case ("GET", "/simulator/stats"): return Answer { openai.books.write(to: &$0) }
        case ("POST", "/simulator/faults"), ("POST", "/simulator/answers"), ("POST", "/simulator/settings"):
            do {
                switch request.path {
                case "/simulator/faults": try fault(JSONDocument(request.body).root, &openai, at: now)
                case "/simulator/answers": try openai.load(String(decoding: request.body, as: UTF8.self))
                default: try settings(JSONDocument(request.body).root, &openai)
                }
                return Answer(status: 200, json: Array("{}".utf8))
            } catch {
                return .error(400, "\(error)", code: nil)
            }
        default: return .error(404, "there is no \(request.method) \(request.path)", code: nil)
        }
    }

    private static func fault(_ json: JSONView, _ openai: inout SimulatedOpenAI, at now: Timestamp) throws {
        let name = json["mode"]?.string ?? json["mode"]?.numberLiteral ?? ""
        if name == "none" { return openai.faults.clear() }
        guard let mode = Faults.Mode(rawValue: name) else {
            let known = Faults.Mode.allCases.map(\.rawValue).joined(separator: ", ")
            throw RequestProblem("'mode' must be one of \(known), none")
        }
        openai.faults.add(
            Faults.Fault(
                mode: mode,
                until: json["seconds"]?.double.map {
                    Timestamp(microseconds: now.microseconds + Int64($0 * 1_000_000))
                },
                requests: json["requests"]?.integer.map { Int($0) },
                retryAfter: json["retry_after_ms"]?.integer
            )
        )
    }

    private static func settings(_ json: JSONView, _ openai: inout SimulatedOpenAI) throws {
        if let latency = json["latency_ms"]?.integer { openai.latency = Int(latency) }
        guard let schema = json["schema"]?.string else { return }
        guard let schemas = SimulatedOpenAI.Schemas(rawValue: schema) else {
            throw RequestProblem("'schema' must be honoured, ignored or refused")
        }
        openai.schemas = schemas
    }
}
