import CCurl
import Foundation
import Synchronization

/// The thread that drives libcurl's multi interface, and the mailbox through which tasks reach it.
final class TransferLoop: @unchecked Sendable {
    // `multi` is used by the loop's own thread alone. The one exception is `curl_multi_wakeup`, which libcurl allows
    // from any thread; it is called under the mailbox's lock, so that it cannot meet the clean-up.
    private let multi: UnsafeMutableRawPointer
    private let userAgent: String
    private let mailbox = Mutex(Mailbox())

    private struct Mailbox {
        var nextID: UInt64 = 0
        var submissions: [Submission] = []
        var cancellations: [UInt64] = []
        var isClosed = false
        var hasEnded = false
    }

    struct Submission {
        var id: UInt64
        var request: HTTPRequest
        var continuation: CheckedContinuation<HTTPResponse, any Error>
    }

    init(userAgent: String) {
        precondition(Self.isCurlReady, "libcurl could not be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl is out of memory") }
        self.multi = multi
        self.userAgent = userAgent
        // The thread keeps the loop alive until it was closed, so the pointer above cannot dangle.
        let thread = Thread { self.serve() }
        thread.name = "http"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// `curl_global_init` must run once, before any other use.
    private static let isCurlReady = cf_curl_global_init() == CURLE_OK

    // MARK: For any task

    func run(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = mailbox.withLock { box in
            box.nextID += 1
            return box.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                submit(Submission(id: id, request: request, continuation: continuation))
                // A cancellation that came before the submission found nothing to cancel.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    func close() {
        mailbox.withLock { box in
            box.isClosed = true
            wake(box)
        }
    }

    private func submit(_ submission: Submission) {
        let isAccepted = mailbox.withLock { box in
            guard !box.isClosed else { return false }
            box.submissions.append(submission)
            wake(box)
            return true
        }
        if !isAccepted { submission.continuation.resume(throwing: Self.closedError(submission.request)) }
    }

    private func cancel(_ id: UInt64) {
        mailbox.withLock { box in
            box.cancellations.append(id)
            wake(box)
        }
    }

    private func wake(_ box: Mailbox) {
        if !box.hasEnded { curl_multi_wakeup(multi) }
    }

    private static func closedError(_ request: HTTPRequest) -> HTTPError {
        HTTPError(.cancelled, "\(request.method) \(URLText.shown(request.url)): the HTTP client is closed")
    }

    // MARK: The thread

    private static let idleMilliseconds: Int32 = 60_000

    private func serve() {
        Self.blockBrokenPipeSignal()
        var transfers: [UInt64: Transfer] = [:]
        while true {
            let mail = takeMail()
            for submission in mail.submissions { start(submission, in: &transfers) }
            for id in mail.cancellations { stop(transfers.removeValue(forKey: id), .cancelled, "cancelled") }
            if mail.isClosed { break }
            var running: Int32 = 0
            let performed = curl_multi_perform(multi, &running)
            finishDone(&transfers)
            guard performed == CURLM_OK, curl_multi_poll(multi, nil, 0, Self.idleMilliseconds, nil) == CURLM_OK
            else {
                failAll(&transfers, performed)
                continue
            }
        }
        for transfer in transfers.values { stop(transfer, .cancelled, "the HTTP client is closed") }
        mailbox.withLock { $0.hasEnded = true }
        curl_multi_cleanup(multi)
    }

    /// With `CURLOPT_NOSIGNAL` libcurl leaves SIGPIPE to the program, and OpenSSL can raise it. It goes to the thread
    /// that wrote, so blocking it here is enough.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func takeMail() -> Mailbox {
        mailbox.withLock { box in
            let mail = box
            box.submissions.removeAll()
            box.cancellations.removeAll()
            return mail
        }
    }

    private func start(_ submission: Submission, in transfers: inout [UInt64: Transfer]) {
        do {
            let transfer = try Transfer(submission, userAgent: userAgent)
            let added = curl_multi_add_handle(multi, transfer.easy)
            guard added == CURLM_OK else {
                transfer.fail(.other, String(cString: curl_multi_strerror(added)))
                return
            }
            transfers[submission.id] = transfer
        } catch {
            submission.continuation.resume(throwing: error)
        }
    }

    private func stop(_ transfer: Transfer?, _ code: HTTPError.Code, _ reason: String) {
        guard let transfer else { return }
        curl_multi_remove_handle(multi, transfer.easy)
        transfer.fail(code, reason)
    }

    private func finishDone(_ transfers: inout [UInt64: Transfer]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let result = message.pointee.data.result
            let transfer = Transfer.behind(easy)
            // From here on the message is no longer valid.
            curl_multi_remove_handle(multi, easy)
            transfers[transfer.id] = nil
            transfer.finish(result)
        }
    }

    /// A fault of the multi interface itself: out of memory or out of descriptors. The pause keeps the loop from
    /// spinning while it lasts.
    private func failAll(_ transfers: inout [UInt64: Transfer], _ code: CURLMcode) {
        let reason = code == CURLM_OK ? "cannot wait for sockets" : String(cString: curl_multi_strerror(code))
        for transfer in transfers.values { stop(transfer, .other, reason) }
        transfers.removeAll()
        usleep(100_000)
    }
}
