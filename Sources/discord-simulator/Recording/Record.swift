import ArgumentParser

/// `discord-simulator record`.
struct Record: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes recordings to serve.",
        subcommands: [RecordDemo.self, RecordBulk.self, RecordOptionAlerts.self]
    )
}
