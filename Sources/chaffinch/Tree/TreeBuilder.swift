import Foundation
import Messaging
import Model
import PipelineFile
import Supervision
import Workers

/// Turns an accepted generation into the tree of processes that serves it: which roles there are, in what order they
/// start, and which secrets each receives.
struct TreeBuilder {
    let pipeline: Pipeline
    let generation: Int
    /// By the variable in which a role receives each; the URL of a managed broker joins them once that is prepared.
    var secrets: [String: String]
    /// The roles and commands to run; all when empty.
    let only: Set<String>
    /// The environment of the supervisor, of which children get what is no secret.
    let environment: [String: String]
    let executable: String

    /// - Parameter managedBroker: prepared when the pipeline asks for one.
    func children(managedBroker: ManagedBroker?) throws -> [ChildSpecification] {
        var children: [ChildSpecification] = []
        if runsPipeline {
            children += managedBroker.map(broker) ?? []
            children += try roles(needsBroker: managedBroker != nil)
        }
        children += try commands()
        guard !only.isEmpty else { return children }
        // What is left out runs elsewhere and is not waited for.
        let names = Set(children.map(\.name))
        for index in children.indices {
            children[index].dependsOn = children[index].dependsOn.filter { names.contains($0.key) }
        }
        return children
    }

    /// Whether any role of the pipeline runs here, and so whether a managed broker is needed.
    var runsPipeline: Bool {
        let names = Role.builtIn.map(\.rawValue) + pipeline.plugins.map(\.name)
        return pipeline.hasPipeline && names.contains(where: isWanted)
    }

    /// Names that `--only` may hold.
    var knownNames: [String] {
        (pipeline.hasPipeline ? Role.builtIn.map(\.rawValue) : [])
            + pipeline.workers.filter { $0.command != nil }.map(\.name)
    }

    private func isWanted(_ name: String) -> Bool { only.isEmpty || only.contains(name) }

    /// `epmd` first and in the foreground, so that RabbitMQ does not leave one of its own behind.
    private func broker(_ managed: ManagedBroker) -> [ChildSpecification] {
        let epmd = child("epmd", .command, managed.epmd.arguments, managed.epmd.environment)
        // It logs every connection that says nothing, so it is not probed: it listens at once or it ends.
        var node = child("broker", .command, managed.node.arguments, managed.node.environment)
        node.probe = .tcp("127.0.0.1", managed.node.probePort)
        node.dependsOn = ["epmd": .ready]
        node.startTimeout = .seconds(120)
        return [epmd, node]
    }

    /// `setup` → `store`, `deadletter` → `parse` → `fetch`, each waiting for the one before it to be ready.
    private func roles(needsBroker: Bool) throws -> [ChildSpecification] {
        var previous = needsBroker ? ["broker"] : []
        var children: [ChildSpecification] = []
        for tier in [[Role.setup], [.store, .deadletter], [.parse, .openai], [.fetch]] {
            let wanted = tier.filter {
                $0 == .setup
                    || isWanted($0.rawValue) && ($0 != .fetch || !pipeline.channels.isEmpty)
                        && ($0 != .openai || hasLastResort)
            }
            for role in wanted {
                children.append(try roleChild(role, after: previous))
            }
            if !wanted.isEmpty { previous = wanted.map(\.rawValue) }
        }
        return children
    }

    /// Whether there is a key.
    private var hasLastResort: Bool {
        pipeline.openai.apiKey.flatMap { secrets[$0.variable] }.map { !$0.isEmpty } ?? false
    }

    /// What tables and queues are made from.
    private func setupFingerprint() throws -> String {
        struct Part: Encodable {
            var name: String
            var records: [RecordType]
            var broker: Pipeline.Broker
            var store: Pipeline.Store
            var plugins: [String]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let part = Part(
            name: pipeline.name,
            records: pipeline.records,
            broker: pipeline.broker,
            store: pipeline.store,
            plugins: pipeline.workers.filter { $0.consumes != nil }.map(\.name)
        )
        return String(decoding: try encoder.encode(part), as: UTF8.self)
    }

    private func roleChild(_ role: Role, after previous: [String]) throws -> ChildSpecification {
        let command = [
            executable, "worker", "role", role.rawValue, "--data", pipeline.dataFolder,
        ]
        let own = try pipeline.workers.first { $0.name == role.rawValue }.map(values) ?? [:]
        var specification = child(
            role.rawValue,
            role == .setup ? .job : .worker,
            command,
            baseEnvironment.merging(own) { _, new in new }.merging(secrets(of: role)) { _, new in new }
                .merging([WorkerContext.lastResortVariable: hasLastResort ? "on" : "off"]) { _, new in new }
        )
        for name in previous { specification.dependsOn[name] = .ready }
        specification.application = ChildSpecification.Application(
            generation: generation,
            fingerprint: role == .setup ? try setupFingerprint() : ""
        )
        if role == .setup {
            specification.startTimeout = .seconds(300)
            // Nothing can run on tables or queues that could not be made.
            specification.critical = true
        }
        return specification
    }

    /// The secrets a role uses, and no others.
    private func secrets(of role: Role) -> [String: String] {
        let references: [SecretReference?] =
            switch role {
            case .setup: [pipeline.broker.url, pipeline.store.url, pipeline.store.setupURL]
            case .store, .deadletter: [pipeline.broker.url, pipeline.store.url]
            case .parse: [pipeline.broker.url]
            case .openai: [pipeline.broker.url, pipeline.store.url, pipeline.openai.apiKey]
            case .fetch: [pipeline.broker.url, fetchStore, pipeline.discord.token]
            case .plugin: [pipeline.broker.url]
            }
        return secrets.filter { variable, _ in references.contains { $0?.variable == variable } }
    }

    /// With a database of its own fetch does not get to know the one of the writers.
    private var fetchStore: SecretReference {
        guard let own = pipeline.store.fetchURL, secrets[own.variable] != nil else { return pipeline.store.url }
        return own
    }

    private func commands() throws -> [ChildSpecification] {
        try pipeline.workers.compactMap { worker in
            guard let command = worker.command, isWanted(worker.name) else { return nil }
            if worker.consumes != nil { return try pluginHost(of: worker) }
            var specification = child(
                worker.name,
                .command,
                command,
                try ownEnvironment.merging(values(of: worker)) { _, new in new }
            )
            specification.workingDirectory = worker.cwd ?? pipeline.folder
            return specification
        }
    }

    /// A command that consumes is the child of a host, which is what the tree supervises. What is meant for the command
    /// is not for the host: its environment, which the host hands on, its limits, and how long it may be silent.
    private func pluginHost(of worker: Worker) throws -> ChildSpecification {
        let own = try ownEnvironment.merging(values(of: worker)) { _, new in new }
        var specification = child(
            worker.name,
            .worker,
            [executable, "worker", "plugin", worker.name, "--data", pipeline.dataFolder],
            baseEnvironment.merging(secrets(of: .plugin)) { _, new in new }
                .merging([WorkerContext.lastResortVariable: hasLastResort ? "on" : "off"]) { _, new in new }
                .merging(PluginCommand.hostVariables(for: own)) { _, new in new }
        )
        specification.application = ChildSpecification.Application(generation: generation, fingerprint: "")
        specification.heartbeat = ChildSpecification.Heartbeat()
        specification.nofile = nil
        specification.memory = nil
        specification.oomScoreAdj = nil
        for name in [Role.setup, .store] { specification.dependsOn[name.rawValue] = .ready }
        return specification
    }

    /// - Throws: `TemplateError` for a variable that is not set.
    private func values(of worker: Worker) throws -> [String: String] {
        try (worker.env ?? [:]).mapValues { try $0.expanded(with: environment) }
    }

    /// A child with the settings of its `workers:` entry, if there is one.
    private func child(
        _ name: String,
        _ kind: ChildSpecification.Kind,
        _ command: [String],
        _ environment: [String: String]
    ) -> ChildSpecification {
        var specification = ChildSpecification(name: name, command: command, environment: environment, kind: kind)
        guard let worker = pipeline.workers.first(where: { $0.name == name }) else { return specification }
        specification.apply(worker)
        return specification
    }

    /// What a built-in role sees beside its own `env:`: enough to find programs, certificates and proxies.
    private var baseEnvironment: [String: String] {
        let names: Set = [
            "PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy",
            "https_proxy",
            "no_proxy", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY", "LD_LIBRARY_PATH", "LD_PRELOAD",
        ]
        return environment.filter { names.contains($0.key) || $0.key.hasPrefix("LC_") }
    }

    /// The variables from which the pipeline's secrets are made, whether a role here uses them or not, and those that
    /// name their files.
    private var secretVariables: Set<String> {
        let references = [
            pipeline.broker.url, pipeline.store.url, pipeline.store.setupURL, pipeline.store.fetchURL,
            pipeline.discord.token,
            pipeline.openai.apiKey, pipeline.console.token,
        ]
        return references.reduce(into: []) { names, reference in
            guard case .template(let text)? = reference?.source, let template = try? Template(text) else { return }
            for name in template.variables { names.formUnion([name, name + "_FILE"]) }
        }
    }

    /// What a command of the user's own sees: the supervisor's environment without what the pipeline uses as secrets.
    private var ownEnvironment: [String: String] {
        let names = secretVariables
        let values = Set(secrets.values.filter { $0.count >= 4 })
        return environment.filter { name, value in
            !names.contains(name) && !values.contains(value) && !name.hasPrefix("CHAFFINCH_")
        }
    }
}

extension ChildSpecification.Probe {
    fileprivate init?(_ probe: Worker.Probe) {
        if let command = probe.exec {
            self.init(.exec(command))
        } else if let address = probe.tcp, let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...])
        {
            self.init(.tcp(host: String(address[..<colon]), port: port))
        } else {
            return nil
        }
        every = probe.every ?? every
        timeout = probe.timeout ?? timeout
        failures = probe.failures ?? failures
        successes = probe.successes ?? successes
    }
}

extension ChildSpecification {
    /// Takes over what a `workers:` entry sets.
    fileprivate mutating func apply(_ worker: Worker) {
        replicas = worker.replicas ?? replicas
        if let restart = worker.restart { self.restart = Restart(rawValue: restart.rawValue) ?? self.restart }
        if let exits = worker.successExit { successExit = Set(exits.map(Int32.init)) }
        if let exits = worker.noRestartExit { noRestartExit = Set(exits.map(Int32.init)) }
        if let settings = worker.backoff {
            backoff = Backoff(settings)
            backoffResetAfter = settings.resetAfter ?? backoffResetAfter
        }
        if let settings = worker.breaker {
            breaker = settings.isOff ? nil : Breaker.Settings(settings)
        }
        heartbeat.every = worker.heartbeat?.every ?? heartbeat.every
        heartbeat.missed = worker.heartbeat?.missed ?? heartbeat.missed
        startTimeout = worker.startTimeout ?? startTimeout
        drainTimeout = worker.drainTimeout ?? drainTimeout
        stopTimeout = worker.stopTimeout ?? stopTimeout
        propagate = worker.propagate ?? propagate
        critical = worker.critical ?? critical
        nofile = worker.limits?.nofile ?? nofile
        memory = worker.limits?.memory ?? memory
        oomScoreAdj = worker.limits?.oomScoreAdj ?? oomScoreAdj
        probe = worker.probe.flatMap(Probe.init) ?? probe
        for (name, condition) in worker.dependsOn ?? [:] {
            dependsOn[name] = Condition(rawValue: condition.rawValue) ?? .ready
        }
    }
}
