import ArgumentParser

/// The development executable: a Discord on loopback, and the recordings it serves.
@main
struct DiscordSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discord-simulator",
        abstract: "Serves recordings over Discord's REST shapes on loopback, and makes such recordings.",
        subcommands: [Serve.self, Record.self]
    )
}
