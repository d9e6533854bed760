import Model

/// The section `workers`: settings of built-in roles, and commands of the user's own.
extension PipelineDecoder {
    /// The roles of the one binary, in the order in which they start.
    static let roles = ["broker", "setup", "store", "deadletter", "parse", "openai", "fetch", "console"]
    /// Names that the tree itself uses for a child or in the log.
    private static let takenNames = ["epmd", "supervisor"]
    /// Roles of which one process is all that makes sense.
    private static let singleRoles: Set<String> = ["broker", "setup", "fetch", "console"]
    /// Without a pipeline only this one of the built-in roles runs.
    private static let roleOfPlainSupervisor = "console"
    private static let times: ClosedRange<Duration> = .zero ... .seconds(86_400)

    mutating func workers(_ node: YAMLNode?, hasPipeline: Bool, isSQLite: Bool) -> [Worker] {
        guard let node, let map = section(node, "'workers'", path: "workers", shape: "workers") else { return [] }
        let pairs = map.map.node.mapping ?? []
        let workers = pairs.map { worker($0, hasPipeline: hasPipeline, isSQLite: isSQLite) }
        let commands = pairs.filter { !Self.roles.contains($0.name) && $0.value.value("command") != nil }.map(\.name)
        let running = (hasPipeline ? Self.roles : [Self.roleOfPlainSupervisor]) + commands
        for (pair, worker) in zip(pairs, workers) {
            checkDependencies(of: worker, pair.value.value("depends_on"), running: running)
        }
        reportCycles(workers, pairs)
        return workers
    }

    private mutating func worker(_ pair: YAMLPair, hasPipeline: Bool, isSQLite: Bool) -> Worker {
        var worker = Worker(name: pair.name)
        let path = "workers.\(pair.name)"
        if !Self.isName(pair.name) { mustBe(Self.nameRule, pair.key, path) }
        // `parse:` alone is a worker with nothing but defaults.
        let value =
            pair.value.isNull ? YAMLNode(content: .mapping([]), file: pair.key.file, mark: pair.key.mark) : pair.value
        guard var section = section(value, "worker '\(pair.name)'", path: path, shape: "workers.*") else {
            return worker
        }
        readProgram(of: &worker, at: pair.key, &section)
        worker.replicas = replicas(of: worker.name, isSQLite: isSQLite, &section)
        worker.restart = choice("restart", in: &section)
        worker.successExit = exitCodes("success_exit", in: &section)
        worker.noRestartExit = exitCodes("no_restart_exit", in: &section)
        worker.backoff = backoff(&section)
        worker.breaker = breaker(&section)
        checkBreaker(of: worker, section)
        worker.startTimeout = duration("start_timeout", in: &section, Self.times)
        worker.drainTimeout = duration("drain_timeout", in: &section, Self.times)
        worker.stopTimeout = duration("stop_timeout", in: &section, Self.times)
        worker.heartbeat = heartbeat(&section)
        worker.critical = boolean("critical", in: &section)
        worker.dependsOn = dependencies(&section)
        worker.propagate = boolean("propagate", in: &section)
        worker.probe = probe(&section)
        worker.limits = limits(&section)
        checkConsumption(of: worker, section, hasPipeline: hasPipeline)
        finish(section)
        return worker
    }

    private mutating func readProgram(of worker: inout Worker, at key: YAMLNode, _ section: inout Section) {
        let given = section.map.optional("command")
        worker.command = command("command", in: &section)
        let isRole = Self.roles.contains(worker.name)
        if isRole, let given {
            diagnostics.error("'\(worker.name)' is a built-in role; give the command another name", at: given)
        } else if !isRole, given == nil {
            let near = nearest(worker.name, in: Self.roles)
            let help = near.map { "did you mean '\($0)'?" } ?? "those are \(Self.roles.joined(separator: ", "))"
            diagnostics.error("worker '\(worker.name)' has no 'command' and is no built-in role; \(help)", at: key)
        }
        if !isRole, Self.takenNames.contains(worker.name) {
            diagnostics.error("'\(worker.name)' is the name of a process of Chaffinch itself; choose another", at: key)
        }
        worker.consumes = choice("consumes", in: &section)
        worker.env = environment(&section)
        worker.cwd = path("cwd", in: &section)
    }

    private mutating func checkConsumption(of worker: Worker, _ section: Section, hasPipeline: Bool) {
        guard let place = section.map.key("consumes"), worker.consumes != nil else { return }
        if section.map.node.value("command") == nil {
            diagnostics.error("'consumes' needs a 'command' that answers the messages", at: place)
        } else if !hasPipeline {
            diagnostics.error(
                "there is nothing to consume: the file has no 'channels', 'records' or 'parsers'",
                at: place
            )
        }
        if let probe = section.map.key("probe") {
            diagnostics.error(
                "'probe' does not go with 'consumes': its host says when it is ready, and its answers show it alive",
                at: probe
            )
        }
    }

    private mutating func replicas(of name: String, isSQLite: Bool, _ section: inout Section) -> Int? {
        guard let count = integer("replicas", in: &section, 1...64) else { return nil }
        guard count > 1, let node = section.map.optional("replicas") else { return count }
        if Self.singleRoles.contains(name) {
            diagnostics.error("'\(name)' runs once; 'replicas' must be 1", at: node)
        } else if name == "store" && isSQLite {
            diagnostics.error("SQLite takes one writer; 'replicas' of 'store' must be 1", at: node)
        }
        return count
    }

    private mutating func environment(_ section: inout Section) -> [String: Template]? {
        guard let node = section.map.optional("env") else { return nil }
        let path = section.path(of: "env")
        guard let pairs = node.mapping else {
            mustBe("a map of variables", node, path)
            return nil
        }
        var result: [String: Template] = [:]
        for pair in pairs {
            if pair.name.isEmpty || pair.name.contains(where: { $0 == "=" || $0 == "\0" }) {
                diagnostics.error("'\(pair.name)' is no name of an environment variable", at: pair.key)
            }
            guard let text = pair.value.scalar else {
                mustBe("text", pair.value, "\(path).\(pair.name)")
                continue
            }
            do {
                let template = try Template(pair.value.isNull ? "" : text)
                if resolvingSecrets, neededSecrets == SecretKey.all { _ = try template.expanded(with: environment) }
                result[pair.name] = template
            } catch {
                diagnostics.error(error.advice(path: "\(path).\(pair.name)"), at: pair.value)
            }
        }
        return result
    }

    // MARK: Supervision

    private mutating func subsection(_ key: String, of section: inout Section) -> Section? {
        let path = section.path(of: key)
        return self.section(section.map.optional(key), "'\(path)'", path: path, shape: "\(section.shape).\(key)")
    }

    private mutating func backoff(_ section: inout Section) -> Worker.BackoffSettings? {
        guard var inner = subsection("backoff", of: &section) else { return nil }
        var backoff = Worker.BackoffSettings()
        backoff.initial = duration("initial", in: &inner, Self.times)
        backoff.factor = number("factor", in: &inner, 1...100)
        backoff.max = duration("max", in: &inner, Self.times)
        backoff.jitter = number("jitter", in: &inner, 0...1)
        backoff.resetAfter = duration("reset_after", in: &inner, Self.times)
        if let initial = backoff.initial, let max = backoff.max, initial > max, let node = inner.map.optional("max") {
            diagnostics.error("'\(inner.path).max' is less than 'initial' (\(initial.written))", at: node)
        }
        finish(inner)
        return backoff
    }

    /// `off` is text in YAML 1.2, and `false` what some will write.
    private mutating func breaker(_ section: inout Section) -> Worker.BreakerSettings? {
        var breaker = Worker.BreakerSettings()
        if let node = section.map.optional("breaker"), let text = node.scalar {
            breaker.isOff = true
            if text != "off", node.boolean != false { mustBe("'off' or a map", node, section.path(of: "breaker")) }
            return breaker
        }
        guard var inner = subsection("breaker", of: &section) else { return nil }
        breaker.failures = integer("failures", in: &inner, 1...1000)
        breaker.window = duration("window", in: &inner, Self.times)
        breaker.open = duration("open", in: &inner, Self.times)
        breaker.maxOpen = duration("max_open", in: &inner, Self.times)
        breaker.stable = duration("stable", in: &inner, Self.times)
        finish(inner)
        return breaker
    }

    /// A window that the failures cannot fill because of the back-off between them would never mean anything.
    private mutating func checkBreaker(of worker: Worker, _ section: Section) {
        guard worker.breaker?.isOff != true else { return }
        let breaker = Breaker.Settings(worker.breaker ?? Worker.BreakerSettings())
        let backoff = Backoff(worker.backoff ?? Worker.BackoffSettings())
        guard !breaker.isReachable(with: backoff),
            let place = section.map.key("breaker") ?? section.map.key("backoff")
        else { return }
        diagnostics.error(
            "the breaker of '\(worker.name)' can never see \(breaker.failures) failures within "
                + "\(breaker.window.written): the back-off spreads them over "
                + "\(breaker.shortestTimeToOpen(with: backoff).written) at least",
            at: place
        )
    }

    private mutating func heartbeat(_ section: inout Section) -> Worker.Heartbeat? {
        guard var inner = subsection("heartbeat", of: &section) else { return nil }
        var heartbeat = Worker.Heartbeat()
        heartbeat.every = duration("every", in: &inner, .milliseconds(100) ... .seconds(3600))
        heartbeat.missed = integer("missed", in: &inner, 1...1000)
        finish(inner)
        return heartbeat
    }

    private mutating func probe(_ section: inout Section) -> Worker.Probe? {
        guard var inner = subsection("probe", of: &section) else { return nil }
        var probe = Worker.Probe()
        probe.exec = command("exec", in: &inner)
        probe.tcp = text("tcp", in: &inner)
        if let tcp = probe.tcp, Self.hostAndPort(tcp) == nil, let node = inner.map.optional("tcp") {
            mustBe("host:port", node, inner.path(of: "tcp"))
        }
        if (inner.map.optional("exec") == nil) == (inner.map.optional("tcp") == nil) {
            diagnostics.error("'\(inner.path)' needs either 'exec' or 'tcp'", at: inner.map.node)
        }
        probe.every = duration("every", in: &inner, .milliseconds(100) ... .seconds(3600))
        probe.timeout = duration("timeout", in: &inner, .milliseconds(10) ... .seconds(3600))
        probe.failures = integer("failures", in: &inner, 1...1000)
        probe.successes = integer("successes", in: &inner, 1...1000)
        finish(inner)
        return probe
    }

    private mutating func limits(_ section: inout Section) -> Worker.Limits? {
        guard var inner = subsection("limits", of: &section) else { return nil }
        var limits = Worker.Limits()
        limits.nofile = integer("nofile", in: &inner, 16...1_048_576)
        limits.memory = byteCount("memory", in: &inner, atLeast: 1 << 20)
        limits.oomScoreAdj = integer("oom_score_adj", in: &inner, -1000...1000)
        finish(inner)
        return limits
    }
}
