import Foundation
import Model

/// The generations under `<data>/generations/`: each a folder named by its number, with `pipeline.json` and the rule
/// files under `parsers/`. Folders have mode 0700 and files 0600.
///
/// A generation appears whole or not at all: it is written beside its place, synced, and renamed. One process accepts
/// at a time (the supervisor's lock on the data folder sees to that); any number may load.
package struct GenerationStore: Sendable {
    private let root: String

    package init(dataFolder: String) {
        root = FilePath.absolute("generations", in: dataFolder)
    }

    /// The newest generation; `nil` when none was ever accepted.
    ///
    /// - Throws: ``FileProblem``.
    package func latest() throws -> Generation? {
        try numbers().last.map { try load($0) }
    }

    /// - Parameter readingRules: without, ``Generation/rules`` is empty, for whoever has no use for them.
    /// - Throws: ``FileProblem`` when there is no such generation or its files are damaged.
    package func load(_ number: Int, readingRules: Bool = true) throws -> Generation {
        let folder = folder(of: number)
        let json = try TextFile.read(folder + "/pipeline.json")
        let pipeline: Pipeline
        do {
            pipeline = try JSONDecoder().decode(Pipeline.self, from: Data(json.utf8))
        } catch {
            throw FileProblem(folder + "/pipeline.json", "not a pipeline that this version wrote")
        }
        guard readingRules else { return Generation(number: number, folder: folder, pipeline: pipeline, rules: []) }
        let shownAs = pipeline.parsersShownAs ?? "parsers"
        let rules = try RuleFolder.readIfPresent(folder + "/parsers", shownAs: shownAs)
        if let damaged = rules.first(where: { $0.problem != nil }) {
            throw FileProblem(folder, "\(damaged.name): \(damaged.problem ?? "")")
        }
        let checkedBy = (try? TextFile.read(folder + "/checked-by")) ?? ""
        return Generation(number: number, folder: folder, pipeline: pipeline, rules: rules, checkedBy: checkedBy)
    }

    /// Writes a new generation, unless it would equal the latest: then that one is returned and nothing is written.
    /// Also clears away what a killed process left half-written.
    ///
    /// - Parameter after: the highest generation that somebody works by; the new one's number is higher still, though
    ///   the folder was emptied meanwhile.
    /// - Throws: ``FileProblem``; then the latest generation is still the one before.
    package func accept(
        pipeline: Pipeline,
        rules: [SourceFile],
        after: Int = 0
    ) throws -> (generation: Generation, isNew: Bool) {
        let rules = rules.sorted { $0.name < $1.name }
        try makePrivateFolder(root)
        try clearLeftovers()
        // A damaged latest generation is no reason to refuse a sound new one.
        let latest = try? latest()
        if let latest, latest.pipeline == pipeline, latest.rules == rules { return (latest, false) }
        let number = max(try numbers().last ?? 0, after) + 1
        let temporary = "\(root)/.new-\(number)"
        try write(pipeline, rules, into: temporary, sharing: latest)
        let folder = folder(of: number)
        guard rename(temporary, folder) == 0 else { throw FileProblem(folder, errno: errno) }
        try synchronize(root)
        return (Generation(number: number, folder: folder, pipeline: pipeline, rules: rules), true)
    }

    /// Removes the oldest generations, down to `count`; never the newest.
    ///
    /// - Parameter inUse: generations that somebody works by; they stay.
    /// - Throws: ``FileProblem``.
    package func prune(keeping count: Int = 5, inUse: Set<Int> = []) throws {
        for number in try numbers().dropLast(max(count, 1)) where !inUse.contains(number) { try unmake(number) }
        try clearLeftovers()
    }

    /// Removes a generation that nobody works by or ever did, so that the one before is the latest again.
    ///
    /// - Throws: ``FileProblem``.
    package func withdraw(_ number: Int) throws {
        try unmake(number)
        try synchronize(root)
        try clearLeftovers()
    }

    /// A folder that is half removed must not look like a generation.
    private func unmake(_ number: Int) throws {
        let doomed = "\(root)/.old-\(number)"
        guard rename(folder(of: number), doomed) == 0 else { throw FileProblem(folder(of: number), errno: errno) }
    }

    // MARK: Files

    private func folder(of number: Int) -> String { "\(root)/\(number)" }

    private func numbers() throws -> [Int] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: root) else { return [] }
        return names.compactMap { Int($0) }.filter { $0 > 0 }.sorted()
    }

    private func clearLeftovers() throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for name in names where name.hasPrefix(".new-") || name.hasPrefix(".old-") {
            do {
                try FileManager.default.removeItem(atPath: "\(root)/\(name)")
            } catch {
                throw FileProblem("\(root)/\(name)", "cannot be removed")
            }
        }
    }

    /// - Parameter known: a generation whose files are on disk already: those that are the same are linked, not
    ///   written, since no generation ever changes.
    private func write(
        _ pipeline: Pipeline,
        _ rules: [SourceFile],
        into folder: String,
        sharing known: Generation?
    ) throws {
        let knownTexts = Dictionary(
            (known?.rules ?? []).map { ($0.name, $0.text) },
            uniquingKeysWith: { first, _ in first }
        )
        try makePrivateFolder(folder)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writePrivateFile("\(folder)/pipeline.json", encoder.encode(pipeline))
        try writePrivateFile("\(folder)/checked-by", Data(Chaffinch.version.utf8))
        var folders: Set<String> = [folder]
        for rule in rules {
            let path = "\(folder)/parsers/\(try Self.relativePath(of: rule, pipeline))"
            let parent = String(path.prefix(upTo: path.lastIndex(of: "/")!))
            folders.formUnion(try makePrivateFolders(parent, below: folder))
            if let known, knownTexts[rule.name] == rule.text,
                link("\(known.folder)/parsers/\(try Self.relativePath(of: rule, known.pipeline))", path) == 0
            {
                continue
            }
            try writePrivateFile(path, Data(rule.text.utf8))
        }
        try folders.forEach(synchronize)
    }

    /// A rule file's path inside the folder of rules.
    private static func relativePath(of rule: SourceFile, _ pipeline: Pipeline) throws -> String {
        let prefix = (pipeline.parsersShownAs ?? "parsers") + "/"
        let path = rule.name.dropFirst(rule.name.hasPrefix(prefix) ? prefix.count : 0)
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard rule.name.hasPrefix(prefix), parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else {
            throw FileProblem(rule.name, "not a path inside the folder of rules")
        }
        return String(path)
    }

    /// All folders from below `base` down to `path`; those are returned.
    private func makePrivateFolders(_ path: String, below base: String) throws -> [String] {
        var made: [String] = []
        var folder = base
        for part in path.dropFirst(base.count).split(separator: "/") {
            folder += "/" + part
            try makePrivateFolder(folder)
            made.append(folder)
        }
        return made
    }

    private func makePrivateFolder(_ path: String) throws {
        if path == root {
            // The data folder may not exist at the very first start.
            let parent = FilePath.absolute("..", in: root)
            if mkdir(parent, 0o700) != 0, errno != EEXIST { throw FileProblem(parent, errno: errno) }
        }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileProblem(path, errno: errno) }
    }

    private func writePrivateFile(_ path: String, _ data: Data) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileProblem(path, errno: errno) }
        defer { close(file) }
        var rest = data[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw FileProblem(path, errno: errno) }
            rest = rest.dropFirst(max(count, 0))
        }
        guard fsync(file) == 0 else { throw FileProblem(path, errno: errno) }
    }

    /// A folder's entries reach the disk only when the folder itself is synced.
    private func synchronize(_ folder: String) throws {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw FileProblem(folder, errno: errno) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw FileProblem(folder, errno: errno) }
    }
}
