import Model

extension TableLayout {
    /// A row for each UTC day, channel (0 for none) and parser.
    static let openaiSpend = TableLayout(
        name: "openai_spend",
        columns: [
            ColumnLayout("day", .text, required: true),
            ColumnLayout("channel_id", .integer, required: true),
            ColumnLayout("parser", .text, required: true),
            ColumnLayout("calls", .integer, required: true),
            ColumnLayout("failed", .integer, required: true),
            ColumnLayout("prompt_tokens", .integer, required: true),
            ColumnLayout("completion_tokens", .integer, required: true),
            ColumnLayout("reserved_tokens", .integer, required: true),
        ],
        primaryKey: ["day", "channel_id", "parser"]
    )

    /// Answers by the digest of their question. The index finds those of a message that is erased.
    static let openaiAnswers = TableLayout(
        name: "openai_answers",
        columns: [
            ColumnLayout("key", .text, required: true),
            ColumnLayout("message_id", .integer, required: true),
            ColumnLayout("parser", .text, required: true),
            ColumnLayout("model", .text, required: true),
            ColumnLayout("refusal", .text),
            ColumnLayout("content", .text, required: true),
            ColumnLayout("answered_at", .timestamp, required: true),
        ],
        primaryKey: ["key"],
        indexes: [IndexLayout(name: "openai_answers_message_id", columns: ["message_id"])]
    )
}

extension SQLConnection {
    func reserve(_ tokens: TokenReservation, within budget: TokenBudget) throws -> BudgetAnswer {
        // Two that read the same sum could both find room for what only one has. On SQLite there is one writer.
        if dialect == .postgres {
            _ = try query(
                "SELECT pg_advisory_xact_lock(hashtextextended('chaffinch openai ' || current_schema(), 0))",
                []
            )
        }
        let channel = try SQLValue(tokens.channel ?? Snowflake(0))
        let spent = try query(
            """
            SELECT coalesce(sum(tokens), 0), coalesce(sum(CASE WHEN channel_id = $2 THEN tokens ELSE 0 END), 0)
            FROM (SELECT channel_id, prompt_tokens + completion_tokens + reserved_tokens AS tokens
                FROM openai_spend WHERE day = $1) AS spent
            """,
            [.text(tokens.day), channel]
        ).rows[0].map { $0.flatMap { Int($0) } ?? Int.max / 2 }
        guard spent[0] + tokens.tokens <= budget.day else { return .daySpent }
        if let limit = budget.channel, tokens.channel != nil, spent[1] + tokens.tokens > limit { return .channelSpent }
        _ = try query(
            """
            INSERT INTO openai_spend
                (day, channel_id, parser, calls, failed, prompt_tokens, completion_tokens, reserved_tokens)
            VALUES ($1, $2, $3, 1, 0, 0, 0, $4)
            ON CONFLICT (day, channel_id, parser) DO UPDATE SET
                calls = openai_spend.calls + 1,
                reserved_tokens = openai_spend.reserved_tokens + excluded.reserved_tokens
            """,
            [.text(tokens.day), channel, SQLValue(tokens.parser), .integer(Int64(tokens.tokens))]
        )
        return .granted
    }

    func settle(_ tokens: TokenReservation, as cost: TokenCost) throws {
        let (prompt, completion, released, failed) =
            switch cost {
            case .known(let prompt, let completion): (prompt, completion, tokens.tokens, 0)
            case .untold: (0, 0, 0, 0)
            case .failed: (0, 0, 0, 1)
            case .nothing: (0, 0, tokens.tokens, 1)
            }
        _ = try query(
            """
            UPDATE openai_spend SET prompt_tokens = prompt_tokens + $4, completion_tokens = completion_tokens + $5,
                reserved_tokens = reserved_tokens - $6, failed = failed + $7
            WHERE day = $1 AND channel_id = $2 AND parser = $3
            """,
            [.text(tokens.day), try SQLValue(tokens.channel ?? Snowflake(0)), SQLValue(tokens.parser)]
                + [prompt, completion, released, failed].map { .integer(Int64($0)) }
        )
    }

    /// Keeps an answer, unless the message it was asked about is erased by now: the answer quotes it.
    func keep(_ answer: KeptAnswer) throws {
        try lock([answer.messageID])
        guard try erased(among: [answer.messageID]).isEmpty else { return }
        _ = try query(
            """
            INSERT INTO openai_answers (key, message_id, parser, model, refusal, content, answered_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (key) DO UPDATE SET message_id = excluded.message_id, parser = excluded.parser,
                model = excluded.model, refusal = excluded.refusal, content = excluded.content,
                answered_at = excluded.answered_at
            """,
            [
                .text(answer.key), try SQLValue(answer.messageID), SQLValue(answer.parser), SQLValue(answer.model),
                SQLValue(answer.refusal), SQLValue(answer.content), SQLValue(answer.answeredAt),
            ]
        )
    }

    func keptAnswer(to key: String) throws -> KeptAnswer? {
        let found = try query(
            "SELECT message_id, parser, model, refusal, content, answered_at FROM openai_answers WHERE key = $1",
            [.text(key)]
        )
        guard let row = found.rows.first, let id = row[0].flatMap({ Snowflake($0) }), let content = row[4] else {
            return nil
        }
        return KeptAnswer(
            key: key,
            messageID: id,
            parser: row[1] ?? "",
            model: row[2] ?? "",
            refusal: row[3],
            content: content,
            answeredAt: row[5].flatMap { Timestamp(iso8601: $0) } ?? Timestamp(microseconds: 0)
        )
    }

    func isDeleted(_ message: Snowflake) throws -> Bool {
        let found = try query(
            "SELECT 1 FROM messages WHERE id = $1 AND deleted_at IS NOT NULL",
            [try SQLValue(message)]
        )
        return !found.rows.isEmpty
    }

    func spend(since day: String?) throws -> [SpendRow] {
        let found = try query(
            """
            SELECT day, channel_id, parser, calls, failed, prompt_tokens, completion_tokens, reserved_tokens
            FROM openai_spend WHERE day >= $1 ORDER BY day DESC, channel_id, parser
            """,
            [.text(day ?? "")]
        )
        return found.rows.map { row in
            let numbers = row[3...].map { $0.flatMap { Int($0) } ?? 0 }
            return SpendRow(
                day: row[0] ?? "",
                channel: row[1].flatMap { Snowflake($0) }.flatMap { $0 == Snowflake(0) ? nil : $0 },
                parser: row[2] ?? "",
                calls: numbers[0],
                failed: numbers[1],
                promptTokens: numbers[2],
                completionTokens: numbers[3],
                reservedTokens: numbers[4]
            )
        }
    }
}

extension DatabaseStore {
    func reserve(_ tokens: TokenReservation, within budget: TokenBudget) throws -> BudgetAnswer {
        try engine.transaction(.write) { try $0.reserve(tokens, within: budget) }
    }

    func settle(_ tokens: TokenReservation, as cost: TokenCost, keeping answer: KeptAnswer?) throws {
        try engine.transaction(.write) { connection in
            try connection.settle(tokens, as: cost)
            if let answer { try connection.keep(answer) }
        }
    }

    func keptAnswer(to key: String) throws -> KeptAnswer? {
        try engine.transaction(.snapshot) { try $0.keptAnswer(to: key) }
    }

    func isDeleted(_ message: Snowflake) throws -> Bool {
        try engine.transaction(.snapshot) { try $0.isDeleted(message) }
    }

    func spend(since day: String?) throws -> [SpendRow] {
        try engine.transaction(.snapshot) { try $0.spend(since: day) }
    }
}
