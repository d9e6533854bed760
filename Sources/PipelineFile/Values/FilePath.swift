/// Paths as text, without a look at the disk.
package enum FilePath {
    /// `path` as an absolute path, seen from `folder` (absolute) when it is relative; without `.`, `..`, doubled and
    /// trailing slashes.
    package static func absolute(_ path: String, in folder: String) -> String {
        var parts: [Substring] = []
        for part in (path.hasPrefix("/") ? path : folder + "/" + path).split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// What `path` is called from inside `folder`; `path` itself when it lies outside. Both are absolute.
    package static func shown(_ path: String, from folder: String) -> String {
        let prefix = folder.hasSuffix("/") ? folder : folder + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
    }

    static func lastComponent(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "" }
}
