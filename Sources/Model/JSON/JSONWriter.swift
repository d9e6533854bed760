/// Appends JSON to a growing array of bytes; the caller sees to commas through ``array(_:)`` and ``object(_:)``.
///
/// Numbers are written from their digits, so nothing passes through a double.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func null() { literal("null") }
    package mutating func value(_ boolean: Bool) { literal(boolean ? "true" : "false") }
    package mutating func value(_ integer: some BinaryInteger) { literal(String(integer)) }

    /// Writes text that is already a JSON value, byte for byte.
    package mutating func raw(_ json: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    package mutating func value(_ string: String) {
        separate()
        quoted(string)
        needsComma = true
    }

    package mutating func value(_ string: String?) {
        if let string { value(string) } else { null() }
    }

    package mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        try container(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    package mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        try container(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    /// Writes a member's name; its value must be written next.
    package mutating func key(_ name: String) {
        separate()
        quoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// The text written so far.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    private mutating func container(
        _ open: UInt8,
        _ close: UInt8,
        _ body: (inout JSONWriter) throws -> Void
    ) rethrows {
        separate()
        bytes.append(open)
        needsComma = false
        try body(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func literal(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    /// RFC 8259 section 7: quotation mark, reverse solidus and the control characters must be escaped.
    private mutating func quoted(_ string: String) {
        var string = string
        string.withUTF8 { text in
            bytes.append(UInt8(ascii: "\""))
            var plain = 0
            for (index, byte) in text.enumerated()
            where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(contentsOf: text[plain..<index])
                escape(byte)
                plain = index + 1
            }
            bytes.append(contentsOf: text[plain...])
            bytes.append(UInt8(ascii: "\""))
        }
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        case 0..<0x20:
            let hex = String(byte, radix: 16)
            bytes.append(contentsOf: "u00\(hex.count == 1 ? "0" : "")\(hex)".utf8)
        default: bytes.append(byte)
        }
    }
}
