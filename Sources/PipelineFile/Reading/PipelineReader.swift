/// What reading `pipeline.yaml` gave.
package struct PipelineReading: Sendable {
    /// `nil` when there is any error.
    package var pipeline: Pipeline?
    package var diagnostics: Diagnostics
    /// Values by ``SecretReference/variable``; what is empty or not used is absent, and so is the URL of a managed
    /// broker.
    package var secrets: [String: String]
    /// The `check:` entries by record type, with their places, for whoever compiles them.
    package var recordChecks: [String: [YAMLNode]]
}

/// Reads `pipeline.yaml`, all mistakes at once.
package enum PipelineReader {
    /// - Parameters:
    ///   - folder: The absolute folder of the file; relative paths in it resolve against this.
    ///   - environment: Where `${VAR}` comes from.
    ///   - resolvingSecrets: False for what needs no secret (`parse`, `test`, `explain`): a secret's variable may then
    ///     be unset, and secret files are not read.
    ///   - needed: Which secrets are resolved; a command that uses one of them asks for no more.
    ///   - readFile: Reads a secret's file; its error is shown as it describes itself.
    package static func read(
        _ file: SourceFile,
        folder: String,
        environment: [String: String],
        resolvingSecrets: Bool,
        needed: Set<SecretKey> = SecretKey.all,
        readFile: (String) throws -> String = { try TextFile.readValue($0) }
    ) -> PipelineReading {
        withoutActuallyEscaping(readFile) { readFile in
            var decoder = PipelineDecoder(
                folder: FilePath.absolute(folder, in: "/"),
                environment: environment,
                resolvingSecrets: resolvingSecrets,
                neededSecrets: needed,
                readFile: readFile
            )
            let root = YAMLParser.parse(file, into: &decoder.diagnostics)
            let pipeline = root.flatMap { decoder.decode($0) }
            return PipelineReading(
                pipeline: pipeline,
                diagnostics: decoder.diagnostics,
                secrets: pipeline == nil ? [:] : decoder.secrets,
                recordChecks: decoder.recordChecks
            )
        }
    }

    /// Finds the secrets of a pipeline that comes from a generation, whose YAML may be broken by now: templates are
    /// expanded and files read anew. What stood in the YAML itself cannot be found again, which is an error.
    package static func resolveSecrets(
        of pipeline: Pipeline,
        environment: [String: String],
        readFile: (String) throws -> String = { try TextFile.readValue($0) }
    ) -> (secrets: [String: String], diagnostics: Diagnostics) {
        var secrets: [String: String] = [:]
        var diagnostics = Diagnostics()
        for (key, reference) in pipeline.usedSecrets {
            do {
                let value = try reference.value(of: key, environment: environment, readFile: readFile)
                let final = try key.normalized(value, folder: pipeline.folder)
                if key == .brokerURL, pipeline.broker.isManaged != (final == "managed" || final.isEmpty) {
                    throw SecretProblem("'broker.url' no longer agrees with the accepted pipeline; mend the file first")
                }
                if key == .discordToken, final.isEmpty { throw SecretProblem("'discord.token' is empty") }
                if !final.isEmpty, final != "managed" { secrets[reference.variable] = final }
            } catch {
                let message = (error as? SecretProblem)?.message ?? "\(error)"
                diagnostics.error(message, file: "pipeline.yaml", mark: nil)
            }
        }
        return (secrets, diagnostics)
    }
}

extension Pipeline {
    /// The secrets that some role of this pipeline uses.
    fileprivate var usedSecrets: [(SecretKey, SecretReference)] {
        var result: [(SecretKey, SecretReference?)] = [(.consoleToken, console.token)]
        if hasPipeline {
            result += [
                (.brokerURL, broker.url), (.storeURL, store.url), (.storeSetupURL, store.setupURL),
                (.storeFetchURL, store.fetchURL),
                (.openAIKey, openai.apiKey),
            ]
        }
        if !channels.isEmpty { result.append((.discordToken, discord.token)) }
        return result.compactMap { key, reference in reference.map { (key, $0) } }
    }
}

extension SecretReference {
    fileprivate func value(
        of key: SecretKey,
        environment: [String: String],
        readFile: (String) throws -> String
    ) throws -> String {
        switch source {
        case .template(let text):
            do {
                return try Template(text).expanded(with: environment)
            } catch {
                throw SecretProblem(error.advice(path: key.rawValue))
            }
        case .file(let path):
            do {
                return PipelineDecoder.withoutFinalNewline(try readFile(path))
            } catch {
                throw SecretProblem("'\(key.rawValue)_file': \(error)")
            }
        case .literal:
            throw SecretProblem(
                "'\(key.rawValue)' was written into the file itself, so it cannot be found while the file is broken; "
                    + "mend the file, or use ${\(key.variable)} or '\(key.key)_file'"
            )
        }
    }
}
