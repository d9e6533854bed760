import Foundation
import Model
import Testing

@testable import PipelineFile

/// The files for Docker, as far as they can be checked without an engine.
@Suite struct DeploymentFilesTests {
    private func root(_ path: String) throws -> String {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: package.appendingPathComponent(path), encoding: .utf8)
    }

    @Test func theComposeFileHoldsTogether() throws {
        var diagnostics = Diagnostics()
        let file = SourceFile(name: "docker-compose.yml", text: try root("docker-compose.yml"))
        let compose = try #require(YAMLParser.parse(file, into: &diagnostics))
        #expect(diagnostics.isEmpty)
        let services = try #require(compose.value("services")?.mapping)
        #expect(services.map(\.name) == ["chaffinch", "rabbitmq", "postgres"])
        let secrets = Set(compose.value("secrets")?.mapping?.map(\.name) ?? [])
        let volumes = Set(compose.value("volumes")?.mapping?.map(\.name) ?? [])
        for service in services {
            for secret in service.value.value("secrets")?.sequence ?? [] {
                let name = try #require(secret.scalar ?? secret.value("source")?.scalar)
                #expect(secrets.contains(name), "\(service.name) uses secret \(name)")
            }
            for volume in service.value.value("volumes")?.sequence ?? [] {
                let source = try #require(volume.scalar?.split(separator: ":").first.map(String.init))
                #expect(source.hasPrefix("./") || volumes.contains(source), "\(service.name) mounts \(source)")
            }
            for dependency in service.value.value("depends_on")?.mapping ?? [] {
                #expect(dependency.value.value("condition")?.scalar == "service_healthy")
                let other = try #require(services.first { $0.name == dependency.name })
                #expect(other.value.value("healthcheck") != nil)
            }
        }
        // What is pinned is what is tested.
        let documented = try root("docs/deployment.md")
        for server in services.dropFirst() {
            let image = try #require(server.value.value("image")?.scalar)
            #expect(documented.contains("`\(image)`"), "docs/deployment.md does not name \(image)")
        }
        // Every variable handed over as a file is one that the shipped pipeline reads.
        let pipeline = try root("pipeline.yaml")
        for variable in services[0].value.value("environment")?.mapping ?? [] {
            #expect(variable.name.hasSuffix("_FILE"))
            #expect(pipeline.contains("${\(variable.name.dropLast(5))"))
        }
    }

    @Test func theImageRunsTheSupervisorAsAnOrdinaryUser() throws {
        let lines = try root("Dockerfile").split(separator: "\n").map(String.init)
        #expect(lines.contains(#"ENTRYPOINT ["chaffinch", "supervisor"]"#))
        #expect(lines.contains("USER chaffinch"))
        #expect(
            lines.contains { $0.hasPrefix("HEALTHCHECK") && $0.hasSuffix(#"CMD ["chaffinch", "status", "--live"]"#) }
        )
        #expect(lines.filter { $0.hasPrefix("FROM") }.count == 2)
    }

    private func yaml(_ path: String) throws -> YAMLNode {
        var diagnostics = Diagnostics()
        let node = YAMLParser.parse(SourceFile(name: path, text: try root(path)), into: &diagnostics)
        #expect(diagnostics.isEmpty, "\(path): \(diagnostics.all)")
        return try #require(node)
    }

    @Test func theMinimalComposeFileHoldsTogether() throws {
        let compose = try yaml("deploy/compose.yaml")
        let service = try #require(compose.value("services")?.value("chaffinch"))
        let secrets = compose.value("secrets")?.mapping?.map(\.name) ?? []
        #expect(service.value("secrets")?.sequence?.compactMap(\.scalar) == secrets)
        #expect(service.value("read_only")?.scalar == "true")
        #expect(service.value("stop_grace_period")?.scalar == "10s")
        for variable in service.value("environment")?.mapping ?? [] {
            let name = try #require(variable.value.scalar?.split(separator: "/").last.map(String.init))
            #expect(secrets.contains(name))
        }
    }

    @Test func theUnitStopsTheSupervisorAloneAndInTime() throws {
        var section = ""
        var settings: [String: [String]] = [:]
        for line in try root("deploy/systemd/chaffinch.service").split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("[") {
                section = String(line.dropFirst().dropLast())
                continue
            }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(parts.count == 2, "\(line)")
            settings["\(section).\(parts[0])", default: []].append(String(parts.last ?? ""))
        }
        #expect(settings["Service.Type"] == ["exec"])
        #expect(settings["Service.KillMode"] == ["mixed"])
        #expect(settings["Service.TimeoutStopSec"] == ["15s"])
        #expect(settings["Service.RestartPreventExitStatus"] == ["64 78"])
        #expect(settings["Service.LoadCredential"] == ["discord_token:/etc/chaffinch/discord_token"])
        #expect(settings["Service.Environment"] == ["DISCORD_TOKEN_FILE=%d/discord_token"])
        #expect(settings["Service.ExecStart"]?[0].hasPrefix("/usr/local/bin/chaffinch supervisor ") == true)
        #expect(settings["Install.WantedBy"] == ["multi-user.target"])
    }

    @Test func theKubernetesFilesHoldTogether() throws {
        let deployment = try yaml("deploy/kubernetes/deployment.yaml")
        let spec = try #require(deployment.value("spec"))
        #expect(spec.value("replicas")?.scalar == "1")
        #expect(spec.value("strategy")?.value("type")?.scalar == "Recreate")
        let pod = try #require(spec.value("template")?.value("spec"))
        #expect(pod.value("terminationGracePeriodSeconds")?.scalar.flatMap { Int($0) } ?? 0 > 8)
        #expect(pod.value("securityContext")?.value("runAsNonRoot")?.scalar == "true")
        let container = try #require(pod.value("containers")?.sequence?.first)
        #expect(container.value("securityContext")?.value("readOnlyRootFilesystem")?.scalar == "true")
        func command(_ probe: String) -> [String] {
            container.value(probe)?.value("exec")?.value("command")?.sequence?.compactMap(\.scalar) ?? []
        }
        let data = "/chaffinch/state/data"
        #expect(command("livenessProbe") == ["chaffinch", "status", "--live", "--data", data])
        #expect(command("startupProbe") == command("livenessProbe"))
        #expect(command("readinessProbe") == ["chaffinch", "status", "--data", data])
        let volumes = Set(pod.value("volumes")?.sequence?.compactMap { $0.value("name")?.scalar } ?? [])
        let mounts = Set(container.value("volumeMounts")?.sequence?.compactMap { $0.value("name")?.scalar } ?? [])
        #expect(volumes == mounts && volumes.count == 5)
        // The secret's keys are the files that the variables name.
        let secret = try yaml("deploy/kubernetes/secret.yaml")
        let keys = secret.value("stringData")?.mapping?.map(\.name) ?? []
        let files = container.value("env")?.sequence?.compactMap {
            $0.value("value")?.scalar?.split(separator: "/").last.map(String.init)
        }
        #expect(files == keys)
        _ = try yaml("deploy/kubernetes/volume.yaml")
        // The pipeline inside is one that runs, and keeps its data where the probes look.
        let config = try yaml("deploy/kubernetes/config.yaml")
        let text = try #require(config.value("data")?.value("pipeline.yaml")?.scalar)
        #expect(text.contains("data: \(data)\n"))
        let reading = reading(text, resolvingSecrets: false)
        #expect(!reading.diagnostics.hasErrors, "\(reading.diagnostics.all)")
    }
}
