/// What travels from fetch to parse: a JSON array of 1 to 100 Discord message objects as Discord sent them.
///
/// Batching on the wire is the main performance decision (DESIGN.md, "The data").
package enum Page {
    package static let maximumMessages = 100
    /// Pages are split at message boundaries to at most this many bytes.
    package static let maximumBytes = 128 * 1024
    /// A larger single message travels alone, up to this size; what is larger still is refused.
    package static let maximumMessageBytes = 1024 * 1024

    /// Packs message objects into pages, in order. No payload may be larger than ``maximumMessageBytes``.
    package static func pack(_ payloads: some Sequence<[UInt8]>) -> [(bytes: [UInt8], count: Int)] {
        var pages: [(bytes: [UInt8], count: Int)] = []
        var bytes: [UInt8] = []
        var count = 0
        func close() {
            guard count > 0 else { return }
            bytes.append(UInt8(ascii: "]"))
            pages.append((bytes, count))
            bytes = []
            count = 0
        }
        for payload in payloads {
            if count == maximumMessages || (count > 0 && bytes.count + payload.count + 2 > maximumBytes) { close() }
            bytes.append(UInt8(ascii: count == 0 ? "[" : ","))
            bytes.append(contentsOf: payload)
            count += 1
        }
        close()
        return pages
    }

    /// A page, or a record batch, of one element: how what fails goes on without its neighbours.
    package static func alone(_ payload: [UInt8]) -> [UInt8] { [UInt8(ascii: "[")] + payload + [UInt8(ascii: "]")] }

    /// One element of a page that was read.
    package enum Element: Sendable {
        case message(Message)
        /// An object that is not a message: why, and its bytes, so that it can go dead alone.
        case broken(MessageError, payload: [UInt8])
    }

    /// Reads a page. A broken element does not spoil its neighbours.
    ///
    /// - Throws: ``JSONError`` when the bytes as a whole are not a JSON array.
    package static func unpack(_ bytes: some ContiguousBytesOfJSON) throws -> [Element] {
        let document = try JSONDocument(bytes)
        guard document.root.kind == .array else { throw JSONError(reason: "a page must be a JSON array", offset: 0) }
        return document.root.elements.map { element in
            do {
                return .message(try Message(element))
            } catch let error as MessageError {
                return .broken(error, payload: Array(element.raw))
            } catch {
                preconditionFailure("Message.init throws MessageError only: \(error)")
            }
        }
    }
}
