/// Finds the JSON text in a message.
enum CodeBlock {
    /// The inside of the first code block that holds an array or object, or the whole text when it is one itself.
    static func json(in text: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        let fence = Array("```".utf8)
        var position = 0
        while let open = find(fence, in: text, from: position) {
            guard let close = find(fence, in: text, from: open + 3) else { break }
            var start = open + 3
            // The word that names the language.
            while start < close, text[start].isASCIIWord { start += 1 }
            if let range = value(text, start..<close) { return range }
            position = close + 3
        }
        return value(text, 0..<text.count)
    }

    private static func value(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        let inside = text[range].trimmed
        guard inside.first == UInt8(ascii: "{") || inside.first == UInt8(ascii: "[") else { return nil }
        return inside.startIndex..<inside.endIndex
    }

    private static func find(_ sought: [UInt8], in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var position = start
        while position + sought.count <= text.count {
            if text[position..<(position + sought.count)].elementsEqual(sought) { return position }
            position += 1
        }
        return nil
    }
}
