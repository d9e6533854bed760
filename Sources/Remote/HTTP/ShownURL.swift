/// URLs as they may be shown: without user info, query and fragment, any of which may hold a secret.
enum ShownURL {
    static func text(_ url: String) -> String {
        let end = url.firstIndex { $0 == "?" || $0 == "#" } ?? url.endIndex
        let shown = url[..<end]
        let authority = shown.firstRange(of: "://")?.upperBound ?? shown.startIndex
        let path = shown[authority...].firstIndex(of: "/") ?? shown.endIndex
        guard let at = shown[authority..<path].lastIndex(of: "@") else { return String(shown) }
        return String(shown[..<authority] + shown[shown.index(after: at)...])
    }
}
