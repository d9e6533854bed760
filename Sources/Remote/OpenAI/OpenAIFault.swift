import Model

/// A request that brought no answer to judge, and what that says about the next one.
package struct OpenAIFault: Error, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// 429: nothing may be sent before this has passed; `nil` where the server names no time.
        case limited(Duration?)
        /// 429 `insufficient_quota`, and 402: the account has no money left. Waiting a moment does not help.
        case quotaSpent
        /// 401, 403 and a proxy's 407: the key is wrong, or may not use the model.
        case unauthorised
        /// 404 and 405, mostly a model or address that does not exist; a redirect, which is not followed.
        case notFound
        /// 400 and its like: this one request will never be taken. Others may be.
        case refused
        /// 5xx, no connection, a time-out, a connection or an answer that was cut, a page that is no JSON.
        case passing
    }

    package var kind: Kind
    /// For people; holds no part of the key.
    package var description: String
    /// Whether tokens may have been used up: the request went out and no answer says.
    package var mayHaveCost: Bool

    package init(_ kind: Kind, _ description: String, mayHaveCost: Bool = false) {
        self.kind = kind
        self.description = description
        self.mayHaveCost = mayHaveCost
    }
}

extension OpenAIFault {
    /// An exchange that brought no complete answer.
    init(_ error: HTTPError) {
        let neverSent = error.code == .connect || error.code == .tls
        self.init(.passing, error.message, mayHaveCost: !neverSent)
    }

    /// Any status but 2xx.
    init(_ response: HTTPResponse, without key: String, now: Timestamp) {
        let error = (try? JSONDocument(response.body))?.root["error"]
        guard !(300..<400).contains(response.status) else {
            self.init(.notFound, Self.redirect(response, without: key))
            return
        }
        let code = error?["code"]?.string ?? error?["type"]?.string ?? ""
        let said = error?["message"]?.string ?? error?.string ?? Self.kind(of: response)
        let shown = PrintableText.of(said, without: key, limit: 200)
        let text = "HTTP \(response.status): \(shown)"
        let isQuota = [error?["code"]?.string, error?["type"]?.string].contains("insufficient_quota")
        switch response.status {
        case 429 where isQuota: self.init(.quotaSpent, text)
        case 429: self.init(.limited(Self.wait(response.headers, now: now)), text)
        case 402: self.init(.quotaSpent, text)
        case 401, 403, 407: self.init(.unauthorised, text)
        case 404, 405: self.init(.notFound, text)
        case 503 where Self.wait(response.headers, now: now) != nil:
            self.init(.limited(Self.wait(response.headers, now: now)), text)
        case 408, 409, 425, 500...: self.init(.passing, text, mayHaveCost: response.status >= 500)
        default:
            self.init(.refused, code.isEmpty ? text : "\(text) (\(PrintableText.of(code, without: key, limit: 40)))")
        }
    }

    /// 2xx with a body that is no chat completion: a proxy's page, or an answer cut short.
    init(notAnAnswer response: HTTPResponse) {
        self.init(
            .passing,
            "HTTP \(response.status) with a body that is no chat completion (\(Self.kind(of: response)))",
            mayHaveCost: true
        )
    }

    /// The key and the message must not follow to wherever an answer points.
    private static func redirect(_ response: HTTPResponse, without key: String) -> String {
        let target = response.headers["Location"].map {
            " to " + PrintableText.of(URLText.shown($0), without: key, limit: 100)
        }
        return "HTTP \(response.status): redirects are not followed; "
            + "check openai.base_url, and any proxy that wants a login: it leads\(target ?? " nowhere")"
    }

    private static func kind(of response: HTTPResponse) -> String {
        let type = response.headers["Content-Type"].map { PrintableText.of($0, without: "", limit: 40) }
        return "\(type ?? "no content type"), \(response.body.count) bytes"
    }

    /// `retry-after-ms`, else `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3). At most an hour is
    /// believed.
    static func wait(_ headers: HTTPHeaders, now: Timestamp) -> Duration? {
        let longest = 3600.0
        if let text = headers["retry-after-ms"], let milliseconds = Double(text), milliseconds >= 0 {
            return .seconds(min(milliseconds / 1000, longest))
        }
        guard let text = headers["retry-after"] else { return nil }
        if let seconds = Double(text), seconds >= 0 { return .seconds(min(seconds, longest)) }
        guard let date = HTTPDate.read(text) else { return nil }
        let rest = Double(date.microseconds - now.microseconds) / 1_000_000
        return .seconds(min(max(rest, 0), longest))
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form servers must send (RFC 9110 section 5.6.7).
enum HTTPDate {
    static func read(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let twoDigits = String(month + 101).dropFirst()
        return Timestamp(iso8601: "\(parts[3])-\(twoDigits)-\(parts[1])T\(parts[4])Z")
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
