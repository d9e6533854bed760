import Model

/// A member of a JSON object: its name, and its value as JSON text.
struct JSONMember: Sendable {
    var name: String
    var json: [UInt8]

    init(_ name: String, _ json: some Sequence<UInt8>) {
        self.name = name
        self.json = Array(json)
    }

    /// A value written as JSON text in the source.
    init(_ name: String, raw text: String) {
        self.init(name, text.utf8)
    }

    init(_ name: String, text: String) {
        var writer = JSONWriter()
        writer.value(text)
        self.init(name, writer.bytes)
    }
}

extension JSONView {
    /// The object with some members replaced or added, and with `defaults` for those it lacks. All others keep their
    /// bytes.
    func rewritten(replacing: [JSONMember] = [], defaults: [JSONMember] = []) -> [UInt8] {
        var writer = JSONWriter(reserving: raw.count + 256)
        writer.object { writer in
            var written: Set<String> = []
            for member in replacing {
                writer.key(member.name)
                writer.raw(member.json)
                written.insert(member.name)
            }
            for (name, value) in members where !written.contains(name) {
                writer.key(name)
                writer.raw(value.raw)
                written.insert(name)
            }
            for member in defaults where !written.contains(member.name) {
                writer.key(member.name)
                writer.raw(member.json)
            }
        }
        return writer.bytes
    }
}
