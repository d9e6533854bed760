/// The hash of a rule file's text that is stored with every record made by it.
///
/// FNV-1a, 64 bits: it tells two versions of a file apart and guards against nothing, so a cryptographic hash and the
/// library it would need are not called for. Source: draft-eastlake-fnv, "The FNV Non-Cryptographic Hash Algorithm".
enum ContentHash {
    /// The first twelve hexadecimal digits.
    static func of(_ text: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 {
            hash ^= UInt64(byte)
            hash = hash &* 0x100_0000_01B3
        }
        let digits = String(hash, radix: 16)
        return String((String(repeating: "0", count: 16 - digits.count) + digits).prefix(12))
    }
}
