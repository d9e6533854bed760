internal import CProcess
internal import Glibc

/// A file descriptor that is closed with its last reference.
package final class Descriptor: Sendable {
    package enum ReadResult {
        case bytes([UInt8])
        case nothingNow
        /// End of file, or an error after which nothing will come.
        case ended
    }

    package enum WriteResult {
        case wrote(Int)
        case nothingNow
        /// With errno.
        case failed(Int32)
    }

    package let number: Int32

    package init(_ number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// A pipe that no child inherits.
    ///
    /// - Throws: ``SystemCallFailure``.
    package static func pipe() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard cf_pipe(&ends) == 0 else { throw SystemCallFailure("no pipe", errno: errno) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    package func setNonBlocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }

    package func setCloseOnExec() {
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    }

    package func read(upTo count: Int) -> ReadResult {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var result: Int
            repeat { result = Glibc.read(number, buffer.baseAddress, count) } while result < 0 && errno == EINTR
            if result < 0 { failure = errno }
            filled = max(0, result)
        }
        if !bytes.isEmpty { return .bytes(bytes) }
        return failure == EAGAIN ? .nothingNow : .ended
    }

    package func write(_ bytes: some Collection<UInt8>) -> WriteResult {
        bytes.withContiguousStorageIfAvailable { write($0) } ?? Array(bytes).withUnsafeBufferPointer { write($0) }
    }

    private func write(_ buffer: UnsafeBufferPointer<UInt8>) -> WriteResult {
        while true {
            let count = Glibc.write(number, buffer.baseAddress, buffer.count)
            if count >= 0 { return .wrote(count) }
            if errno == EAGAIN { return .nothingNow }
            if errno != EINTR { return .failed(errno) }
        }
    }
}

/// A call to the system that failed, and why.
package struct SystemCallFailure: Error, CustomStringConvertible {
    package let description: String

    init(_ what: String, errno error: Int32) {
        description = "\(what): \(String(cString: strerror(error)))"
    }
}
