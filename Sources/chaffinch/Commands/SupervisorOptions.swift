import ArgumentParser
import Foundation
import Model
import Supervision
import Workers

/// Where the supervisor is that a command talks to.
struct SupervisorOptions: ParsableArguments {
    @OptionGroup var options: ConfigOption

    @Option(help: ArgumentHelp("The data folder, instead of the one named in the pipeline file.", valueName: "folder"))
    var data: String?

    /// Sends a request and returns its answer.
    ///
    /// - Parameters:
    ///   - folder: where that is known already; reading the pipeline file again would cost more than the request.
    ///   - timeout: how long to wait for the answer.
    /// - Throws: ``CommandFailure`` with exit code 69 when no supervisor answers.
    func request(
        _ type: String,
        worker: String? = nil,
        folder: String? = nil,
        timeout: Duration = StatusClient.timeout
    ) throws -> JSONDocument {
        let folder = folder ?? self.folder
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("type")
            writer.value(type)
            if let worker {
                writer.key("worker")
                writer.value(worker)
            }
        }
        do {
            let line = String(decoding: writer.bytes, as: UTF8.self)
            return try JSONDocument(StatusClient.request(socket: folder + "/supervisor.sock", line, timeout: timeout))
        } catch let error as SupervisionError where error.code == .unavailable {
            let advice = "'chaffinch supervisor' starts one; --config or --data names one that runs elsewhere"
            throw CommandFailure(ExitCode.unavailable, "\(error); \(advice)")
        } catch {
            throw CommandFailure(ExitCode.unavailable, "\(error)")
        }
    }

    /// Asks for something to be done to a worker, a child or one replica of it.
    ///
    /// - Returns: the replicas that it concerns.
    /// - Throws: ``CommandFailure`` when the supervisor refuses.
    func act(_ type: String, on worker: String) throws -> [AwaitedReplica] {
        let answer = try request(type, worker: worker).root
        if let refusal = answer["error"]?.string { throw CommandFailure(ExitCode.failed, refusal) }
        return answer["workers"]?.elements.map { AwaitedReplica($0) } ?? []
    }

    /// The data folder.
    var folder: String {
        if let data { return data }
        return PipelineCheck(
            path: options.config,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: false,
            runningExamples: false
        ).dataFolder
    }
}

/// A replica that an action concerns.
struct AwaitedReplica {
    let child: String
    let index: Int64
    /// What the status counts once its next process was started.
    let restarts: Int64
    /// How often it failed of late, when it was asked; 0 where nobody asked.
    let failures: Int64

    init(_ json: JSONView) {
        child = json["name"]?.string ?? ""
        index = json["replica"]?.integer ?? 1
        restarts = json["restarts"]?.integer ?? 0
        failures = json["breaker"]?["failures"]?.integer ?? 0
    }

    var name: String { "\(child)/\(index)" }

    func isDescribed(by worker: JSONView) -> Bool {
        worker["name"]?.string == child && worker["replica"]?.integer == index
    }
}
