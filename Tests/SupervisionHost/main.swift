// Runs a tree that a test describes as JSON in a file: the supervisor reaps every child of its process and adopts
// orphans, so it cannot share one with the tests.
import Foundation
import Model
import Processes
import Supervision

/// With a file as second argument its tree is taken over when the file changes: a shell stands for the checker, and
/// waits for a while where a file `slow` lies beside it, or, once it was accepted, until a file `late` is gone; where a
/// file `fails` lies there it cannot accept. A third argument says since when the file may have changed unseen.
func reloadSource() -> ReloadSource? {
    guard CommandLine.arguments.count > 2 else { return nil }
    let path = CommandLine.arguments[2]
    let script = #"""
        content=$(cat "$0")
        [ ! -e "$0.slow" ] || sleep 1000
        echo '{"type":"checked"}' >&3
        read -r line <&3 || exit 0
        if [ -e "$0.fails" ]; then echo '{"type":"failed","reason":"no room"}' >&3; exit 78; fi
        if [ -e "$0.late" ]; then echo accepted; while [ -e "$0.late" ]; do sleep 0.02; done; fi
        printf '%s\n' "$content" >&3
        """#
    return ReloadSource(
        command: { _ in ["/bin/sh", "-c", script, path] },
        environment: ["PATH": "/usr/bin:/bin"],
        watched: WatchedPaths(file: path, folder: nil),
        checkedSince: CommandLine.arguments.dropFirst(3).first.flatMap { Int64($0) }.map {
            Timestamp(microseconds: $0)
        },
        read: { report in
            let tree = try? JSONDecoder().decode(TreeSpecification.self, from: Data(report))
            return ReloadSource.Finding(
                tree: tree,
                problems: tree == nil ? ["next.json:1:1: no tree"] : [],
                watched: WatchedPaths(file: path, folder: nil)
            )
        },
        withdraw: { _ in }
    )
}

Signals.prepare()
do {
    let tree = try JSONDecoder().decode(
        TreeSpecification.self,
        from: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
    )
    let folder = URL(fileURLWithPath: tree.statusSocket).deletingLastPathComponent().path
    let lock = try DataFolderLock.acquire(folder)
    let code = try SupervisorProcess(tree, source: reloadSource(), lock: lock).run()
    exit(code)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(70)
}
