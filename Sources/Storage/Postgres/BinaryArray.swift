import Glibc
import Model

/// A one-dimensional array in Postgres' binary format, which `unnest` turns back into a column.
///
/// The format (`array_recv` in the server's source) is big-endian throughout: dimensions, a flag for nulls, the
/// element type, length and lower bound of the dimension; then each element as its length, −1 for null, and its bytes.
/// It owns its memory so that libpq can read it in place.
final class BinaryArray {
    /// Element types by the numbers fixed in the server's catalogue (`pg_type.dat`).
    enum ElementType: UInt32 {
        case boolean = 16
        case bigint = 20
        case text = 25
        case json = 114
        case timestamp = 1184
    }

    private static let headerBytes = 20
    /// Postgres counts microseconds from the first of January 2000.
    private static let epoch: Int64 = 946_684_800_000_000

    private let element: ElementType
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    private var elements: Int32 = 0
    private var hasNull = false
    /// The bytes in use.
    private(set) var count = headerBytes

    init(of element: ElementType) {
        self.element = element
        capacity = 4096
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        start.deallocate()
    }

    func append(_ value: Int64?) {
        guard let value else { return appendNull() }
        begin(length: 8)
        put(value)
    }

    func append(_ value: Bool?) {
        guard let value else { return appendNull() }
        begin(length: 1)
        start.storeBytes(of: value ? 1 : 0, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    func append(_ value: Timestamp?) {
        append(value.map { $0.microseconds - Self.epoch })
    }

    /// Text, or JSON text; with U+FFFD for U+0000, see ``Swift/String/storable``.
    func append(_ value: String?) {
        guard let value else { return appendNull() }
        var text = value
        let isPlain = text.withUTF8 { bytes in
            guard let base = bytes.baseAddress else {
                append(bytes: UnsafeRawBufferPointer(bytes))
                return true
            }
            guard memchr(base, 0, bytes.count) == nil else { return false }
            append(bytes: UnsafeRawBufferPointer(bytes))
            return true
        }
        if !isPlain { append(value.storable) }
    }

    func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append(bytes: $0) }
    }

    /// Forgets the elements and keeps the memory.
    func removeAll() {
        count = Self.headerBytes
        elements = 0
        hasNull = false
    }

    /// The array as libpq takes it; valid until the next change.
    var parameter: UnsafePointer<CChar> {
        let length = count
        count = 0
        put(Int32(1))
        put(Int32(hasNull ? 1 : 0))
        put(element.rawValue)
        put(elements)
        put(Int32(1))
        count = length
        return UnsafePointer(start.assumingMemoryBound(to: CChar.self))
    }

    private func append(bytes: UnsafeRawBufferPointer) {
        begin(length: bytes.count)
        if let base = bytes.baseAddress { (start + count).copyMemory(from: base, byteCount: bytes.count) }
        count += bytes.count
    }

    private func appendNull() {
        reserve(4)
        put(Int32(-1))
        elements += 1
        hasNull = true
    }

    private func begin(length: Int) {
        reserve(4 + length)
        put(Int32(length))
        elements += 1
    }

    private func reserve(_ bytes: Int) {
        guard count + bytes > capacity else { return }
        let larger = max(capacity * 2, count + bytes)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = moved
        capacity = larger
    }

    private func put(_ value: some FixedWidthInteger) {
        start.storeBytes(of: value.bigEndian, toByteOffset: count, as: type(of: value.bigEndian))
        count += value.bitWidth / 8
    }
}
