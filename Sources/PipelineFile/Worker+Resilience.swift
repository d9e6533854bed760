package import Model

/// The settings of a worker with the defaults of whoever keeps them filled in.
extension Backoff {
    package init(_ settings: Worker.BackoffSettings) {
        let defaults = Backoff()
        self.init(
            initial: settings.initial ?? defaults.initial,
            factor: settings.factor ?? defaults.factor,
            maximum: settings.max ?? defaults.maximum,
            jitter: settings.jitter ?? defaults.jitter
        )
    }
}

extension Breaker.Settings {
    package init(_ settings: Worker.BreakerSettings) {
        let defaults = Breaker.Settings()
        self.init(
            failures: settings.failures ?? defaults.failures,
            window: settings.window ?? defaults.window,
            open: settings.open ?? defaults.open,
            maximumOpen: settings.maxOpen ?? defaults.maximumOpen,
            stable: settings.stable ?? defaults.stable
        )
    }
}
