import Model
import Supervision

/// Shell text that says hello and ready by `chaffinch-child/1`.
let saysReady = #"printf '{"type":"hello","protocol":"chaffinch-child/1","role":"x","pid":1}\n{"type":"ready"}\n' >&3"#

/// The same, and it leaves when it is told to drain.
let speaking = """
    printf '{"type":"hello","protocol":"chaffinch-child/1","role":"x","pid":1}\\n{"type":"ready"}\\n' >&3
    read -r line <&3
    echo "told $line"
    """

let quick = Backoff(initial: .milliseconds(5), maximum: .milliseconds(5), jitter: 0)

func shell(
    _ name: String,
    _ script: String,
    kind: ChildSpecification.Kind = .command,
    restart: ChildSpecification.Restart? = nil,
    after: [String] = [],
    environment: [String: String] = [:],
    stopTimeout: Duration = .seconds(8)
) -> ChildSpecification {
    ChildSpecification(
        name: name,
        command: ["/bin/sh", "-c", script],
        environment: environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own },
        kind: kind,
        restart: restart,
        backoff: quick,
        stopTimeout: stopTimeout,
        dependsOn: Dictionary(uniqueKeysWithValues: after.map { ($0, .ready) })
    )
}
