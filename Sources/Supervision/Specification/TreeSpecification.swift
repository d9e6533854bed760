internal import Model

/// A whole tree as the supervisor runs it.
package struct TreeSpecification: Sendable, Equatable, Codable {
    /// The pipeline's name, shown in the status.
    package var name: String
    /// The number of the accepted configuration that the children load.
    package var generation: Int
    /// Why the tree is degraded whatever its children do, such as a broken file on disk; `nil` when it is not.
    package var degraded: String?
    package var children: [ChildSpecification]
    /// The budget for stopping everything.
    package var stopTimeout: Duration
    /// The path of the Unix socket that answers `status`.
    package var statusSocket: String
    package var log: LogSettings

    package init(
        name: String,
        generation: Int = 1,
        degraded: String? = nil,
        children: [ChildSpecification],
        stopTimeout: Duration = .seconds(8),
        statusSocket: String,
        log: LogSettings = LogSettings()
    ) {
        self.name = name
        self.generation = generation
        self.degraded = degraded
        self.children = children
        self.stopTimeout = stopTimeout
        self.statusSocket = statusSocket
        self.log = log
    }

    /// - Throws: ``SupervisionError`` for names that are taken twice or unknown, empty commands, dependencies in a
    ///   circle, probes of hosts that would need a name server, and breakers that no back-off lets open.
    package func validate() throws {
        var names: Set<String> = []
        for child in children {
            guard names.insert(child.name).inserted else {
                throw SupervisionError("two children are named '\(child.name)'")
            }
        }
        for child in children {
            guard let program = child.command.first, !program.isEmpty else {
                throw SupervisionError("'\(child.name)' has no command")
            }
            guard child.replicas >= 0 else { throw SupervisionError("'\(child.name)' has a negative replicas") }
            for name in child.dependsOn.keys where !names.contains(name) {
                throw SupervisionError("'\(child.name)' depends on '\(name)', which is not in the tree")
            }
            try child.validateBreaker()
            if case .tcp(let host, let port)? = child.probe?.check {
                _ = try SocketAddress.candidates(host: host, port: port)
            }
            if case .exec(let command)? = child.probe?.check, command.isEmpty {
                throw SupervisionError("the probe of '\(child.name)' has no command")
            }
        }
        if let name = DependencyGraph(children).nameInCircle {
            throw SupervisionError("'\(name)' depends on itself through its dependencies")
        }
    }
}

extension ChildSpecification {
    fileprivate func validateBreaker() throws {
        guard let breaker else { return }
        guard breaker.failures > 0 else { throw SupervisionError("the breaker of '\(name)' opens after no failure") }
        guard !breaker.isReachable(with: backoff) else { return }
        let shortest = breaker.shortestTimeToOpen(with: backoff).brief
        throw SupervisionError(
            "the breaker of '\(name)' can never see \(breaker.failures) failures within \(breaker.window.brief): "
                + "its back-off spreads them over \(shortest) at least"
        )
    }
}

/// Where log lines go and how they look.
package struct LogSettings: Sendable, Equatable, Codable {
    package enum Format: String, Sendable, Codable, CaseIterable {
        /// Text on a terminal, JSON otherwise.
        case auto
        case json, text
    }

    package enum Level: String, Sendable, Codable, CaseIterable, Comparable {
        case debug, info, warning, error

        package static func < (left: Level, right: Level) -> Bool {
            allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
        }
    }

    package var format: Format
    /// `nil`: coloured on a terminal.
    package var colour: Bool?
    /// For the supervisor's own lines; children choose their own.
    package var level: Level
    package var descriptor: Int32

    package init(format: Format = .auto, colour: Bool? = nil, level: Level = .info, descriptor: Int32 = 2) {
        self.format = format
        self.colour = colour
        self.level = level
        self.descriptor = descriptor
    }
}
