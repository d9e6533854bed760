import Model

/// The sections `discord` and `channels`.
extension PipelineDecoder {
    /// The token is needed as soon as there are channels to read.
    mutating func discord(_ node: YAMLNode?, channels: YAMLNode?) -> Pipeline.Discord {
        var discord = Pipeline.Discord(
            token: nil,
            api: "https://discord.com/api/v10",
            live: true,
            poll: .seconds(10)
        )
        let needsToken = !(channels?.sequence ?? []).isEmpty
        let before = diagnostics.errors.count
        var token: Secret?
        if var section = section(node, "discord") {
            token = secret(.discordToken, in: &section, isUsed: needsToken)
            discord.token = token?.reference
            discord.api = httpURL("api", in: &section) ?? discord.api
            discord.live = boolean("live", in: &section) ?? discord.live
            discord.poll = duration("poll", in: &section, .seconds(1) ... .seconds(3600)) ?? discord.poll
            finish(section)
        }
        if resolves(.discordToken), needsToken, (token?.value ?? "").isEmpty, diagnostics.errors.count == before,
            let place = token?.node ?? channels
        {
            diagnostics.error("channels are read with a bot's token, and 'discord.token' is empty", at: place)
        }
        return discord
    }

    /// Discord's own, across all routes.
    private static let requestsPerSecond = 50

    /// A poll is one request for each channel. What is too much is waited for, so nothing is lost; it comes late.
    mutating func warnOfPollingTooOften(_ root: YAMLNode, _ discord: Pipeline.Discord, channels: Int) {
        let rate = Double(channels) / (discord.poll / .seconds(1))
        guard rate > Double(Self.requestsPerSecond), let list = root.value("channels") else { return }
        let needed = (channels + Self.requestsPerSecond - 1) / Self.requestsPerSecond
        diagnostics.warning(
            "\(channels) channels polled every \(discord.poll.written) need \(Int(rate.rounded(.up))) requests a second, and Discord "
                + "allows a bot \(Self.requestsPerSecond), so each is polled every \(needed)s at best; set "
                + "'discord.poll' to \(needed)s or more, or share the channels out among several bots",
            at: root.value("discord")?.value("poll") ?? list
        )
    }

    mutating func channels(_ node: YAMLNode?) -> [Pipeline.Channel] {
        guard let node, let elements = list(node, "channels") else { return [] }
        var names: [String: SourceMark] = [:]
        var ids: [Snowflake: SourceMark] = [:]
        return elements.enumerated().compactMap { index, element in
            guard var section = section(element, "a channel", path: "channels[\(index)]", shape: "channels[]") else {
                return nil
            }
            let name = channelName(in: &section, names: &names)
            let id = channelID(in: &section, ids: &ids)
            let channel = Pipeline.Channel(
                name: name ?? "",
                id: id ?? Snowflake(0),
                since: since(in: &section),
                threads: boolean("threads", in: &section) ?? false,
                onDelete: choice("on_delete", in: &section) ?? .keep
            )
            finish(section)
            return channel
        }
    }

    /// Rules name channels by globs or by id, so a name must not look like either.
    private mutating func channelName(in section: inout Section, names: inout [String: SourceMark]) -> String? {
        guard let node = section.map.required("name", &diagnostics) else { return nil }
        guard let name = node.scalar, !name.isEmpty, name.count <= 100,
            !name.contains(where: { $0.isWhitespace || "*?[]{},".contains($0) }), Snowflake(name) == nil
        else {
            mustBe("a name without spaces and wildcards, not only digits", node, section.path(of: "name"))
            return nil
        }
        if let first = names[name] {
            diagnostics.error("duplicate channel name '\(name)'; it was first given at \(first)", at: node)
        }
        names[name] = names[name] ?? node.mark
        return name
    }

    private mutating func channelID(in section: inout Section, ids: inout [Snowflake: SourceMark]) -> Snowflake? {
        guard let node = section.map.required("id", &diagnostics) else { return nil }
        guard let id = node.scalar.flatMap({ Snowflake($0) }), id.rawValue > 0 else {
            mustBe("a channel's id, such as \"1315807571357208688\"", node, section.path(of: "id"))
            return nil
        }
        if let first = ids[id] {
            diagnostics.error("duplicate channel id '\(id)'; it was first given at \(first)", at: node)
        }
        ids[id] = ids[id] ?? node.mark
        return id
    }

    private mutating func since(in section: inout Section) -> Timestamp? {
        guard let node = section.map.optional("since") else { return nil }
        if let time = node.scalar.flatMap({ Timestamp(iso8601: $0) }) { return time }
        mustBe("a date or time such as 2024-12-01 or 2024-12-01T09:30Z", node, section.path(of: "since"))
        return nil
    }
}
