// Runs a tree that a test describes as JSON in a file: the supervisor reaps every child of its process and adopts
// orphans, so it cannot share one with the tests.
import Foundation
import Processes
import Supervision

Signals.prepare()
do {
    let tree = try JSONDecoder().decode(
        TreeSpecification.self,
        from: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
    )
    let folder = URL(fileURLWithPath: tree.statusSocket).deletingLastPathComponent().path
    let lock = try DataFolderLock.acquire(folder)
    let code = try SupervisorProcess(tree).run()
    withExtendedLifetime(lock) {}
    exit(code)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(70)
}
