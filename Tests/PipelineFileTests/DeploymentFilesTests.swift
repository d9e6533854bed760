import Foundation
import Model
import PipelineFile
import Testing

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
}
