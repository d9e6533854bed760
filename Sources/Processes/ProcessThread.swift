internal import CProcess

/// A thread for as long as its body runs, that is known to run: Foundation's says nothing when the system has none left.
package enum ProcessThread {
    /// - Parameter name: shown by debuggers and `top -H`, at most 15 bytes.
    /// - Throws: ``SystemCallFailure``.
    package static func start(_ name: String, stackBytes: Int, _ body: @escaping @Sendable () -> Void) throws {
        let held = Unmanaged.passRetained(Body(run: body))
        let error = cf_thread_start(
            name,
            stackBytes,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            },
            held.toOpaque()
        )
        guard error == 0 else {
            held.release()
            throw SystemCallFailure("no thread", errno: error)
        }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
