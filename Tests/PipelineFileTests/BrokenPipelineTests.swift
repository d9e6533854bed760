import Testing

@testable import PipelineFile

/// Each `Fixtures/broken/*.yaml` gives exactly the lines of its `.expected`, and no pipeline.
@Suite struct BrokenPipelineTests {
    @Test(arguments: Fixtures.names(in: "broken", suffix: ".yaml"))
    func saysWhatIsWrong(name: String) throws {
        let text = try Fixtures.read("broken/\(name).yaml")
        let expected = try Fixtures.read("broken/\(name).expected")
        let reading = reading(text, name: "\(name).yaml")
        #expect(messages(reading.diagnostics).joined(separator: "\n") + "\n" == expected)
        #expect(reading.pipeline == nil)
        #expect(reading.secrets.isEmpty)
    }

    @Test func thereAreAtLeastTenOfThem() {
        #expect(Fixtures.names(in: "broken", suffix: ".yaml").count >= 10)
        #expect(
            Fixtures.names(in: "broken", suffix: ".yaml") == Fixtures.names(in: "broken", suffix: ".expected")
        )
    }

    @Test func noDiagnosticShowsAPassword() throws {
        let found = messages(reading(try Fixtures.read("broken/secrets.yaml")).diagnostics)
        #expect(!found.contains { $0.contains("hunter2") })
    }
}
