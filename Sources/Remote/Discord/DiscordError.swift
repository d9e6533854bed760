import Model

/// Why Discord did not give what was asked for, in a sentence that says what to do next.
package struct DiscordError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// 401: the token. Nothing more is sent.
        case unauthorised
        /// 403, with Discord's own code: 50001 missing access, 50013 missing permissions; 0 where there is none.
        case forbidden(Int)
        /// 404 with 10003.
        case unknownChannel
        /// Discord will never answer this request otherwise.
        case badRequest
        /// Worth trying again later.
        case unavailable
        /// So many answers were invalid that Discord might ban the address; nothing is sent for a while.
        case tooManyInvalid
    }

    package var code: Code
    /// What happened and what to do next; no secret.
    package var sentence: String
    /// Earlier attempts are of no use, where that is known.
    package var retryAfter: Duration?

    package init(_ code: Code, _ sentence: String, retryAfter: Duration? = nil) {
        self.code = code
        self.sentence = sentence
        self.retryAfter = retryAfter
    }

    package var description: String { sentence }
}

extension DiscordError {
    static func tooManyInvalid(_ subject: String, retryAfter: Duration) -> DiscordError {
        DiscordError(
            .tooManyInvalid,
            """
            \(subject): not asked, because Discord refused so many requests of the last ten minutes (401, 403 or 429) \
            that it might ban this address; asking again in \(retryAfter.inSeconds). Look for channels that the bot \
            may not read
            """,
            retryAfter: retryAfter
        )
    }

    static func limited(_ subject: String, retryAfter: Duration) -> DiscordError {
        DiscordError(
            .unavailable,
            "\(subject): Discord's rate limit allows the next request in \(retryAfter.inSeconds)",
            retryAfter: retryAfter
        )
    }

    static func alwaysLimited(_ subject: String, times: Int) -> DiscordError {
        DiscordError(
            .unavailable,
            "\(subject): Discord answered 429 (rate limit) \(times) times in a row although every wait was kept; "
                + "another program may be using the same bot token"
        )
    }

    static func unavailable(_ subject: String, attempts: Int, last: String) -> DiscordError {
        DiscordError(
            .unavailable,
            "\(subject): no useful answer from Discord in \(attempts) attempt\(attempts == 1 ? "" : "s"), "
                + "the last: \(last)"
        )
    }

    static let badToken = DiscordError(
        .unauthorised,
        "the Discord bot token is empty or holds a space or line break; set discord.token or discord.token_file to the "
            + "token alone"
    )

    /// A refusal by status and body.
    static func refusal(_ subject: String, status: Int, _ answer: ErrorAnswer) -> DiscordError {
        switch (status, answer.code) {
        case (401, _):
            DiscordError(
                .unauthorised,
                """
                Discord refuses the bot token (401 Unauthorized), so nothing more is asked; put a valid token into \
                discord.token (Developer Portal, Bot, Reset Token) and restart
                """
            )
        case (403, 50001):
            DiscordError(
                .forbidden(50001),
                "\(subject): the bot may not see this channel (50001 Missing Access); "
                    + "invite it or give it View Channel and Read Message History"
            )
        case (403, 50013):
            DiscordError(
                .forbidden(50013),
                "\(subject): the bot lacks a permission (50013 Missing Permissions); "
                    + "give it View Channel and Read Message History"
            )
        case (403, nil):
            DiscordError(
                .forbidden(0),
                "\(subject): refused with 403 but without Discord's error object, as its edge does with an address it "
                    + "blocks; check the network and discord.api"
            )
        case (403, let code?):
            DiscordError(
                .forbidden(code),
                "\(subject): Discord refuses access (\(answer.shown)); check what the bot may do"
            )
        case (_, 10003):
            DiscordError(
                .unknownChannel,
                "\(subject): Discord knows no such channel (10003 Unknown Channel); "
                    + "it was deleted, or its id in pipeline.yaml is wrong"
            )
        case (404, nil):
            DiscordError(.badRequest, "\(subject): no such address (404) at Discord; check discord.api")
        case (300..<400, _):
            DiscordError(
                .badRequest,
                "\(subject): redirected elsewhere (\(status)), which is not followed; check discord.api"
            )
        default:
            DiscordError(.badRequest, "\(subject): Discord refuses the request (\(answer.shown)); it is not repeated")
        }
    }
}

/// Discord's error object, as far as the body holds one.
struct ErrorAnswer {
    var status: Int
    var code: Int?
    var message: String?

    /// - Parameter secret: left out of the message, should the far side echo it.
    init(_ response: HTTPResponse, without secret: String) {
        status = response.status
        guard let document = try? JSONDocument(response.body) else { return }
        code = document.root["code"]?.integer.flatMap { Int(exactly: $0) }
        message = document.root["message"]?.string.map { PrintableText.of($0, without: secret) }
    }

    /// `400, 50035 Invalid Form Body`.
    var shown: String {
        guard let code else { return "HTTP \(status)" }
        return "HTTP \(status), \(code)" + (message.map { " \($0)" } ?? "")
    }
}

/// Text from the far side, made fit for a log line.
enum PrintableText {
    static func of(_ text: String, without secret: String, limit: Int = 200) -> String {
        let clean =
            secret.isEmpty
            ? text
            : text.split(separator: secret, omittingEmptySubsequences: false)
                .joined(separator: "[token]")
        let line = String(
            String.UnicodeScalarView(clean.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 })
        )
        return line.count <= limit ? line : line.prefix(limit) + "…"
    }
}

extension Duration {
    /// `0.25 s`, `61 s`.
    var inSeconds: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        let seconds = Double(milliseconds) / 1000
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
