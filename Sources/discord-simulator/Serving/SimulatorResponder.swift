import Foundation
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import Synchronization

/// Turns HTTP into requests to the simulated Discord, and its answers into HTTP, with the faults that were asked for.
final class SimulatorResponder: HTTPResponder {
    typealias Context = ConnectionContext

    private let discord: Mutex<SimulatedDiscord>

    init(_ discord: SimulatedDiscord) {
        self.discord = Mutex(discord)
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        var seen = APIRequest(path: request.uri.path)
        seen.method = request.method.rawValue
        seen.parameters = Self.parameters(request.uri.query)
        seen.authorization = request.headers[.authorization]
        seen.userAgent = request.headers[.userAgent]
        seen.host = request.head.authority ?? ""
        if seen.path == "/gateway" { return Self.response(.gatewayNotServed) }
        guard seen.path.hasPrefix("/simulator/") else {
            let answer = discord.withLock { $0.answer(seen, at: Self.now()) }
            return try await deliver(answer, on: context.channel)
        }
        seen.body = Array(buffer: try await request.body.collect(upTo: 4 << 20))
        return Self.response(discord.withLock { ControlEndpoint.answer(seen, &$0, at: Self.now()) })
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

    private static func now() -> Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
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

extension Answer {
    fileprivate static let gatewayNotServed = error(
        501,
        code: 0,
        "The simulator serves the REST interface only; there is no gateway."
    )
}
