/// What can be said of a URL from its text alone.
package enum URLText {
    /// As it may be shown: without user info, query and fragment, any of which may hold a secret.
    package static func shown(_ url: String) -> String {
        let (scheme, authority, path) = parts(of: url)
        return "\(scheme)\(withoutUserInfo(authority))\(path)"
    }

    /// Whether the host is this machine by name or literal address.
    static func isLoopback(_ url: String) -> Bool {
        let host = withoutUserInfo(parts(of: url).authority)
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.prefix { $0 != ":" }
        return name == "localhost" || isLoopbackAddress(name)
    }

    /// 127.0.0.0/8 (RFC 1122 section 3.2.1.3).
    private static func isLoopbackAddress(_ name: Substring) -> Bool {
        let bytes = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return bytes.count == 4 && bytes[0] == 127 && !bytes.contains(nil)
    }

    private static func parts(of url: String) -> (scheme: Substring, authority: Substring, path: Substring) {
        let visible = url.prefix { $0 != "?" && $0 != "#" }
        let authority = visible.firstRange(of: "://")?.upperBound ?? visible.startIndex
        let path = visible[authority...].firstIndex(of: "/") ?? visible.endIndex
        return (visible[..<authority], visible[authority..<path], visible[path...])
    }

    private static func withoutUserInfo(_ authority: Substring) -> Substring {
        guard let at = authority.lastIndex(of: "@") else { return authority }
        return authority[authority.index(after: at)...]
    }
}
