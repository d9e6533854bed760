internal import CProcess
internal import Glibc

/// The signals the supervisor reads from a descriptor instead of having them interrupt it.
package enum Signals {
    package static let terminate: Int32 = SIGTERM
    package static let kill: Int32 = SIGKILL
    package static let interrupt: Int32 = SIGINT
    package static let quit: Int32 = SIGQUIT
    package static let hangUp: Int32 = SIGHUP
    package static let abort: Int32 = SIGABRT

    /// Blocks SIGTERM, SIGINT, SIGQUIT, SIGHUP and SIGCHLD, and ignores SIGPIPE and others that would end the process
    /// for no reason. Also opens those of the descriptors 0 to 2 that are closed.
    ///
    /// To be called first thing in `main`: threads inherit the mask they start with, and one thread without it would
    /// take the signals away.
    package static func prepare() {
        cf_signals_prepare()
    }

    /// `SIGSEGV`; the bare number for the rare ones.
    package static func name(_ signal: Int32) -> String {
        guard let abbreviation = cf_signal_name(signal) else { return "signal \(signal)" }
        return "SIG" + String(cString: abbreviation)
    }

    /// What ``prepare()`` blocked, to be read; `nil` when the system refuses, with `errno`.
    package static func open() -> Descriptor? {
        let number = cf_signals_open()
        return number >= 0 ? Descriptor(number) : nil
    }

    /// Blocks these signals and opens them to be read, for a command that has a terminal to give back before it ends.
    /// To be called while the process has one thread. `nil` when the system refuses, with `errno`.
    package static func take(_ signals: [Int32]) -> Descriptor? {
        let number = cf_signals_take(signals, Int32(signals.count))
        return number >= 0 ? Descriptor(number) : nil
    }

    /// The next signal that has come; 0 for none.
    package static func next(from descriptor: Descriptor) -> Int32 { cf_signals_next(descriptor.number) }
}
