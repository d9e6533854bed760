import Foundation
import TestSupport
import Testing

/// The first seconds of `scripts/soak`, which runs for as long as one likes.
@Suite(.timeLimit(.minutes(3))) struct SoakTests {
    @Test(arguments: [3]) func unrulyChildrenBreakNoPromise(seed: Int) async throws {
        let soak = try await RunningProgram.run(
            Project.root.appending(path: "scripts/soak").path,
            [
                "--minutes", "0.33", "--seed", "\(seed)", "--no-traffic", "--binaries", Project.binaries.path,
            ]
        )
        #expect(soak.exitCode == 0, "\(soak.output)\(soak.errors)")
        #expect(soak.output.contains(": 0 violations\n"))
    }
}
