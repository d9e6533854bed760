import CBenchmarks
package import Model
package import Rules

/// What the wire costs beside the rules, each alone: reading a page, writing a record batch, reading it again; and their
/// limit, simdjson over the pages with nothing built.
package final class WireKernels {
    package let pages: [[UInt8]]
    /// Messages of all pages.
    package let messages: Int
    private let types: [String: RecordType]
    private let parsed: [[ParsedMessage]]
    private let batches: [[UInt8]]

    package init(pages: [[UInt8]], records: [RecordType], rules: RuleSet) throws {
        self.pages = pages
        types = Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0) })
        parsed = try pages.map { try Self.messages(of: $0).map { rules.parse($0) } }
        batches = parsed.map { RecordBatch.encode($0) }
        messages = parsed.reduce(0) { $0 + $1.count }
    }

    /// Each takes the number of a page and returns how many messages it went through.
    package var all: [(name: String, run: (Int) -> Int)] {
        [
            ("simdjson_alone", simdjsonAlone), ("page_decode", decodePage), ("batch_encode", encodeBatch),
            ("batch_decode", decodeBatch),
        ]
    }

    /// - Throws: ``JSONError``, or a ``KernelError`` when one of the page's elements is no message.
    package static func messages(of page: [UInt8]) throws -> [Message] {
        try Page.unpack(page).map { element in
            guard case .message(let message) = element else { throw KernelError("a page holds no messages") }
            return message
        }
    }

    private func simdjsonAlone(_ page: Int) -> Int {
        pages[page].withJSONBytes { Int(bench_simdjson_alone($0.baseAddress, $0.count)) }
    }

    private func decodePage(_ page: Int) -> Int { (try? Page.unpack(pages[page]).count) ?? 0 }

    private func encodeBatch(_ page: Int) -> Int { RecordBatch.encode(parsed[page]).isEmpty ? 0 : parsed[page].count }

    private func decodeBatch(_ page: Int) -> Int { (try? RecordBatch.decode(batches[page], types: types).count) ?? 0 }
}
