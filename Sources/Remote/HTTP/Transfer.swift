import CCurl

/// One request under way: libcurl's easy handle and what has come in so far. Used by the loop's thread only.
final class Transfer {
    let id: UInt64
    let easy: UnsafeMutableRawPointer
    private let request: HTTPRequest
    private let continuation: CheckedContinuation<HTTPResponse, any Error>
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>

    private var headers = HTTPHeaders()
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false

    private static let maximumHeaderBytes = 256 * 1024

    /// - Throws: ``HTTPError`` for a request that must not be sent, or when libcurl is out of memory. The continuation
    ///   is not resumed then.
    init(_ submission: TransferLoop.Submission, userAgent: String) throws {
        id = submission.id
        request = submission.request
        continuation = submission.continuation
        try Self.check(request)
        guard let easy = curl_easy_init() else { throw HTTPError(.other, "libcurl is out of memory") }
        self.easy = easy
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setUpConnection(userAgent: userAgent)
        setUpRequest()
        setUpReceivers()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    /// The transfer an easy handle belongs to.
    static func behind(_ easy: UnsafeMutableRawPointer) -> Transfer {
        var pointer: UnsafeMutableRawPointer?
        cf_curl_get_pointer(easy, CURLINFO_PRIVATE, &pointer)
        return Unmanaged<Transfer>.fromOpaque(pointer!).takeUnretainedValue()
    }

    // MARK: The end, one of these exactly once

    func finish(_ result: CURLcode) {
        guard result == CURLE_OK else {
            if isTooLarge {
                fail(.tooLarge, "the answer is larger than \(request.maximumBodyBytes) bytes")
            } else {
                fail(HTTPError.Code(result), reason(result))
            }
            return
        }
        var status = 0
        cf_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        continuation.resume(returning: HTTPResponse(status: status, headers: headers, body: body))
    }

    func fail(_ code: HTTPError.Code, _ reason: String) {
        continuation.resume(
            throwing: HTTPError(code, "\(request.method) \(URLText.shown(request.url)): \(reason)")
        )
    }

    private func reason(_ result: CURLcode) -> String {
        let detail = String(cString: errorText)
        return detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
    }

    // MARK: Setting up

    /// A line break in a header would smuggle in another; libcurl does not object.
    private static func check(_ request: HTTPRequest) throws {
        for (name, value) in request.headers
        where !(name + value).utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) || name.isEmpty {
            throw HTTPError(
                .other,
                "\(request.method) \(URLText.shown(request.url)): a header holds a control character"
            )
        }
    }

    private func setUpConnection(userAgent: String) {
        cf_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        cf_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        cf_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        cf_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
        cf_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
        cf_curl_set_peer_timeout(easy, request.peerTimeout.positiveMilliseconds)
        cf_curl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // No proxy can reach this machine's own loopback, whatever the environment says.
        if URLText.isLoopback(request.url) { cf_curl_set_text(easy, CURLOPT_NOPROXY, "*") }
        cf_curl_set_text(easy, CURLOPT_USERAGENT, userAgent)
        // An empty list asks for every encoding this libcurl can unpack.
        cf_curl_set_text(easy, CURLOPT_ACCEPT_ENCODING, "")
        cf_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.positiveMilliseconds)
        cf_curl_set_long(easy, CURLOPT_TIMEOUT_MS, request.timeout.positiveMilliseconds)
        if let silence = request.silenceTimeout {
            cf_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1)
            cf_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, (silence.positiveMilliseconds + 999) / 1000)
        }
    }

    private func setUpRequest() {
        cf_curl_set_text(easy, CURLOPT_URL, request.url)
        if let body = request.body {
            cf_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            // One byte more, so that an empty body still has an address; the size set before says where it ends.
            (body + [0]).withUnsafeBytes { bytes in
                _ = cf_curl_set_text(
                    easy,
                    CURLOPT_COPYPOSTFIELDS,
                    bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
                )
            }
            // Without this libcurl asks before it sends a large body, and waits a second for servers that do not answer.
            headerList = curl_slist_append(headerList, "Expect:")
        }
        if request.method == "HEAD" {
            cf_curl_set_long(easy, CURLOPT_NOBODY, 1)
        } else {
            cf_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method)
        }
        for (name, value) in request.headers {
            // libcurl takes "Name:" as "leave that header out" and "Name;" as an empty one.
            headerList = curl_slist_append(headerList, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        cf_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList)
    }

    private func setUpReceivers() {
        let this = Unmanaged.passUnretained(self).toOpaque()
        cf_curl_set_pointer(easy, CURLOPT_PRIVATE, this)
        cf_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        cf_curl_set_pointer(easy, CURLOPT_WRITEDATA, this)
        cf_curl_set_receiver(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
            return transfer.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        cf_curl_set_pointer(easy, CURLOPT_HEADERDATA, this)
        cf_curl_set_receiver(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
            return transfer.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
    }

    // MARK: Receiving; any count other than the one given ends the transfer

    private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= request.maximumBodyBytes else {
            isTooLarge = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            isTooLarge = true
            return 0
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A status line: what came before belonged to an interim answer.
            headers = HTTPHeaders()
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers.append(String(line[..<colon]), value.trimmed)
        }
        return bytes.count
    }
}

extension Substring {
    /// Without the white space around it.
    fileprivate var trimmed: String {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}

extension Duration {
    /// At least 1: libcurl takes 0 as "no limit".
    fileprivate var positiveMilliseconds: Int {
        Int(max(1, components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000))
    }
}

extension HTTPError.Code {
    fileprivate init(_ result: CURLcode) {
        switch result {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
            self = .connect
        case CURLE_OPERATION_TIMEDOUT: self = .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
            self = .tls
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_BAD_CONTENT_ENCODING:
            self = .cut
        default: self = .other
        }
    }
}
