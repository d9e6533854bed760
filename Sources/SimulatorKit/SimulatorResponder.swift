import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Turns HTTP into requests to a simulation, and its answers into HTTP, with the faults that were asked for.
struct SimulatorResponder: HTTPResponder {
    typealias Context = ConnectionContext

    let answer: @Sendable (APIRequest) async -> Answer

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        var seen = APIRequest(path: request.uri.path)
        seen.method = request.method.rawValue
        seen.parameters = Self.parameters(request.uri.query)
        seen.authorization = request.headers[.authorization]
        seen.userAgent = request.headers[.userAgent]
        seen.contentType = request.headers[.contentType]
        seen.host = request.head.authority ?? ""
        seen.body = Array(buffer: try await request.body.collect(upTo: 4 << 20))
        return try await deliver(await answer(seen), on: context.channel)
    }

    private func deliver(_ answer: Answer, on channel: any Channel) async throws -> Response {
        switch answer.delivery {
        case .whole: return Self.response(answer)
        case .closedEarly(let missing):
            let body = ByteBuffer(bytes: answer.body)
            return Response(
                status: .init(code: answer.status),
                headers: Self.fields(answer.headers),
                body: ResponseBody(contentLength: answer.body.count + missing) { writer in
                    try await writer.write(body)
                    throw ConnectionGivenUp()
                }
            )
        case .hang(let microseconds):
            try? await Task.sleep(for: .microseconds(microseconds))
            try await channel.close()
        case .reset:
            // A linger time of zero makes closing send RST instead of FIN.
            if let socket = channel as? any SocketOptionProvider {
                try await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            }
            try await channel.close()
        }
        return Response(status: .internalServerError)
    }

    private static func response(_ answer: Answer) -> Response {
        Response(
            status: .init(code: answer.status),
            headers: fields(answer.headers),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }

    private static func fields(_ headers: [Answer.Header]) -> HTTPFields {
        var fields = HTTPFields()
        for header in headers {
            guard let name = HTTPField.Name(header.name) else { continue }
            fields.append(HTTPField(name: name, value: header.value))
        }
        return fields
    }

    private static func parameters(_ query: String?) -> [(name: String, value: String)] {
        (query ?? "").split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.removingPercentEncoding ?? String($0)
            }
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
    }
}

/// Thrown to close a connection in the middle of a body.
private struct ConnectionGivenUp: Error {}

/// What a request needs to know of its connection.
struct ConnectionContext: InitializableFromSource, Sendable {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}
