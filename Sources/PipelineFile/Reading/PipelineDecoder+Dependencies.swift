/// `depends_on` of the workers.
extension PipelineDecoder {
    mutating func dependencies(_ section: inout Section) -> [String: Worker.Condition]? {
        guard let node = section.map.optional("depends_on") else { return nil }
        let path = section.path(of: "depends_on")
        guard let pairs = node.mapping else {
            mustBe("a map such as { store: ready }", node, path)
            return nil
        }
        var result: [String: Worker.Condition] = [:]
        for pair in pairs {
            result[pair.name] = choice(pair.value, "\(path).\(pair.name)") ?? .ready
        }
        return result
    }

    /// `running` holds the names of all workers that this pipeline has.
    mutating func checkDependencies(of worker: Worker, _ node: YAMLNode?, running: [String]) {
        for pair in node?.mapping ?? [] where !running.contains(pair.name) || pair.name == worker.name {
            let others = running.filter { $0 != worker.name }
            if pair.name == worker.name {
                diagnostics.error("worker '\(worker.name)' depends on itself", at: pair.key)
            } else if Self.roles.contains(pair.name) {
                diagnostics.error("worker '\(pair.name)' does not run here: there is no pipeline", at: pair.key)
            } else {
                let near = nearest(pair.name, in: others).map { "did you mean '\($0)'?" }
                let help = near ?? "there are \(others.joined(separator: ", "))"
                diagnostics.error("no worker '\(pair.name)'; \(help)", at: pair.key)
            }
        }
    }

    /// Each ring of workers that wait for one another is reported once, at its first in the file.
    mutating func reportCycles(_ workers: [Worker], _ pairs: [YAMLPair]) {
        var reported: Set<String> = []
        let edges = Dictionary(workers.map { ($0.name, ($0.dependsOn ?? [:]).keys.sorted()) }) { first, _ in first }
        for pair in pairs where !reported.contains(pair.name) {
            guard let ring = Self.ring(from: pair.name, edges), ring.count > 1 else { continue }
            reported.formUnion(ring)
            let shown = (ring + [pair.name]).joined(separator: " → ")
            diagnostics.error("workers wait for each other: \(shown)", at: pair.value.value("depends_on") ?? pair.key)
        }
    }

    /// The shortest way from `start` back to itself, without the return.
    private static func ring(from start: String, _ edges: [String: [String]]) -> [String]? {
        var paths = [[start]]
        var seen: Set<String> = []
        var next = 0
        while next < paths.count {
            let path = paths[next]
            next += 1
            for target in edges[path.last ?? ""] ?? [] {
                if target == start { return path }
                if seen.insert(target).inserted { paths.append(path + [target]) }
            }
        }
        return nil
    }
}
