internal import Model

/// Which values an answer must hold: the asked fields of a record type, each as its quote and its value.
struct AnswerShape {
    let record: RecordType
    let fields: [LastResortRule.Slot]
    let lists: [[LastResortRule.Slot]]

    /// A field that the model is asked for.
    struct Asked {
        /// Its place in the record type or list.
        var index: Int
        var type: FieldType
        var reader: ValueReader
        /// Without it there is no record; the others may be null.
        var isRequired: Bool { type.required && type.defaultValue == nil }
    }

    /// A list of which at least one field is asked.
    struct AskedList {
        var index: Int
        var type: ListType
        var fields: [Asked]
    }

    var askedFields: [Asked] { Self.asked(fields, record.fields) }

    var askedLists: [AskedList] {
        record.lists.indices.compactMap { index in
            let asked = Self.asked(lists[index], record.lists[index].fields)
            return asked.isEmpty ? nil : AskedList(index: index, type: record.lists[index], fields: asked)
        }
    }

    private static func asked(_ slots: [LastResortRule.Slot], _ types: [FieldType]) -> [Asked] {
        types.indices.compactMap { index in
            slots[index].reader.map { Asked(index: index, type: types[index], reader: $0) }
        }
    }
}

/// The schema, in the subset that OpenAI calls strict: every object names all its properties as required and allows no
/// others, and what may be absent is a union with null. Source: OpenAI's guide "Structured model outputs", "Supported
/// schemas".
extension AnswerShape {
    var schema: [UInt8] {
        var writer = JSONWriter(reserving: 2048)
        Self.object(&writer, ["records"]) { _, writer in
            Self.array(&writer) { writer in
                let fields = askedFields
                let lists = askedLists
                Self.object(&writer, fields.map(\.type.name) + lists.map(\.type.name)) { place, writer in
                    guard place >= fields.count else { return Self.field(fields[place], &writer) }
                    let list = lists[place - fields.count]
                    Self.array(&writer) { writer in
                        Self.object(&writer, list.fields.map(\.type.name)) { Self.field(list.fields[$0], &$1) }
                    }
                }
            }
        }
        return writer.bytes
    }

    private static func object(
        _ writer: inout JSONWriter,
        _ names: [String],
        _ property: (Int, inout JSONWriter) -> Void
    ) {
        writer.object { writer in
            member("type", "object", &writer)
            writer.key("properties")
            writer.object { writer in
                for (place, name) in names.enumerated() {
                    writer.key(name)
                    property(place, &writer)
                }
            }
            writer.key("required")
            writer.array { writer in for name in names { writer.value(name) } }
            writer.key("additionalProperties")
            writer.value(false)
        }
    }

    private static func array(_ writer: inout JSONWriter, _ items: (inout JSONWriter) -> Void) {
        writer.object { writer in
            member("type", "array", &writer)
            writer.key("items")
            items(&writer)
        }
    }

    private static func field(_ field: Asked, _ writer: inout JSONWriter) {
        guard !field.isRequired else { return grounded(field.type, &writer) }
        writer.object { writer in
            writer.key("anyOf")
            writer.array { writer in
                grounded(field.type, &writer)
                writer.object { member("type", "null", &$0) }
            }
        }
    }

    /// The quote comes first, so that the value is made from it and not the other way round.
    private static func grounded(_ type: FieldType, _ writer: inout JSONWriter) {
        object(&writer, ["quote", "value"]) { place, writer in
            writer.object { writer in
                guard place == 1 else { return member("type", "string", &writer) }
                member("type", type.kind.jsonType, &writer)
                guard type.kind == .enum else { return }
                writer.key("enum")
                writer.array { writer in for value in type.values { writer.value(value) } }
            }
        }
    }

    private static func member(_ key: String, _ value: String, _ writer: inout JSONWriter) {
        writer.key(key)
        writer.value(value)
    }
}

extension FieldType.Kind {
    /// How an answer writes a value of this kind. JSON travels as a text, because strict schemas know no free form.
    var jsonType: String {
        switch self {
        case .text, .enum, .timestamp, .json: "string"
        case .integer: "integer"
        case .decimal: "number"
        case .boolean: "boolean"
        }
    }
}
