import ArgumentParser
import Foundation
import Logging
import Messaging
import Model
import PipelineFile
import Remote
import Storage
import Workers

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks pipeline.yaml and the rule files, and shows every mistake at once.",
        discussion: """
            Examples:
              chaffinch check
              chaffinch check --config other/pipeline.yaml
              chaffinch check --connect          also tries the broker, the database and the Discord token
              chaffinch check --json | jq .diagnostics

            Exits 0 when the files are good (warnings are fine), 1 when they are not, 69 when --connect finds a service
            unavailable.
            """
    )

    @OptionGroup var options: ConfigOption

    @Flag(help: "Also connect to the broker, the database and Discord.")
    var connect = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func run() throws {
        let check = PipelineCheck(
            path: options.config,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: true
        )
        if !json { Terminal.error(check.rendered(colour: Terminal.errorHasColour)) }
        let connections = connect && !check.hasErrors ? try tryConnections(check) : []
        if json { printJSON(check, connections) } else { printSummary(check) }
        if check.hasErrors { throw CommandFailure(ExitCode.failed) }
        if connections.contains(where: { $0.problem != nil }) { throw CommandFailure(ExitCode.unavailable) }
    }

    private func printSummary(_ check: PipelineCheck) {
        if let pipeline = check.pipeline, !check.hasErrors {
            Terminal.output("\(Terminal.styled("ok", .green))  \(options.config): \(Self.summary(pipeline, check))")
        } else {
            let count = check.diagnostics.errors.count
            Terminal.error("\(count) \(count == 1 ? "error" : "errors"); nothing would start")
        }
    }

    private static func summary(_ pipeline: Pipeline, _ check: PipelineCheck) -> String {
        func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        return [
            counted(pipeline.channels.count, "channel"), counted(pipeline.records.count, "record type"),
            counted(check.ruleFiles.count, "rule file"),
            counted(pipeline.workers.count { $0.command != nil }, "command"),
        ].joined(separator: ", ")
    }

    private func printJSON(_ check: PipelineCheck, _ connections: [Connection]) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("ok")
            writer.value(!check.hasErrors && connections.allSatisfy { $0.problem == nil })
            writer.key("diagnostics")
            writer.array { writer in
                for diagnostic in check.diagnostics.all {
                    writer.object { writer in
                        writer.key("severity")
                        writer.value(diagnostic.severity.rawValue)
                        writer.key("file")
                        writer.value(diagnostic.file)
                        if let mark = diagnostic.mark {
                            writer.key("line")
                            writer.value(mark.line)
                            writer.key("column")
                            writer.value(mark.column)
                        }
                        writer.key("message")
                        writer.value(diagnostic.message)
                    }
                }
            }
            if connect {
                writer.key("connections")
                writer.array { writer in
                    for connection in connections {
                        writer.object { writer in
                            writer.key("service")
                            writer.value(connection.service)
                            writer.key("ok")
                            writer.value(connection.problem == nil)
                            if let problem = connection.problem {
                                writer.key("problem")
                                writer.value(problem)
                            }
                        }
                    }
                }
            }
        }
        Terminal.output(writer.text)
    }

    private struct Connection: Sendable {
        var service: String
        var problem: String?

        func show() {
            let verdict =
                problem.map { Terminal.styled("failed", .red) + "  \($0)" } ?? Terminal.styled("ok", .green)
            Terminal.output("\(service)  \(verdict)")
        }
    }

    /// Shows each as soon as it is known, but for JSON.
    private func tryConnections(_ check: PipelineCheck) throws -> [Connection] {
        guard let pipeline = check.pipeline else { return [] }
        let (secrets, json) = (check.secrets, json)
        let logger = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
        return try waiting {
            var connections: [Connection] = []
            @discardableResult
            func attempt(_ service: String, _ body: () async throws -> Void) async -> Bool {
                var connection = Connection(service: service)
                do {
                    try await body()
                } catch {
                    connection.problem = "\(error)"
                }
                connections.append(connection)
                if !json { connection.show() }
                return connection.problem == nil
            }
            if !pipeline.broker.isManaged, let url = secrets[pipeline.broker.url.variable] {
                await attempt("broker") { try await TopologySetup.tryConnection(to: BrokerAddress(url)) }
            }
            if let url = secrets[pipeline.store.url.variable] {
                await attempt("store") {
                    let store = try openStore(
                        url,
                        schema: StoreSchema(pipeline: pipeline.name, records: pipeline.records),
                        name: "chaffinch check",
                        logger: logger
                    )
                    do {
                        try await store.checkReady()
                    } catch let error as StoreError where error.code == .notSetUp {
                        // It answers, and the supervisor sets it up at its start.
                    }
                    await store.close()
                }
            }
            if let token = pipeline.discord.token.flatMap({ secrets[$0.variable] }) {
                let http = HTTPClient(userAgent: DiscordREST.userAgent, logger: logger)
                defer { http.close() }
                let discord = DiscordREST(api: pipeline.discord.api, token: token, http: http, logger: logger)
                // Without that, each channel would wait as long and fail alike.
                guard await attempt("discord", { _ = try await discord.currentUser() }) else { return connections }
                for channel in pipeline.channels {
                    await attempt("channel \(channel.name)") {
                        let info = try await discord.channel(channel.id)
                        if info.holdsOnlyThreads {
                            throw CommandFailure(
                                ExitCode.unavailable,
                                "holds threads only, and threads are not read yet"
                            )
                        }
                        guard try await discord.messages(in: channel.id, .newest, limit: 1).isEmpty else { return }
                        if info.mayReadHistory == false || info.lastMessageID != nil {
                            throw CommandFailure(
                                ExitCode.unavailable,
                                "Discord shows none of its messages; give the bot Read Message History there"
                            )
                        }
                    }
                }
            }
            return connections
        }
    }
}
