import CRabbitMQ

/// One entry of an AMQP table: a header, a queue argument, a client property.
struct AMQPField: Sendable, Equatable {
    var name: String
    var value: AMQPValue

    init(_ name: String, _ value: AMQPValue) {
        self.name = name
        self.value = value
    }
}

extension [AMQPField] {
    subscript(name: String) -> AMQPValue? { first { $0.name == name }?.value }
}

/// A value in a table. Integers of every width are one case; what we neither send nor read is `other`.
enum AMQPValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    case table([AMQPField])
    case array([AMQPValue])
    case other

    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }
    var integer: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }
    var array: [AMQPValue]? {
        if case .array(let values) = self { values } else { nil }
    }
    var table: [AMQPField]? {
        if case .table(let fields) = self { fields } else { nil }
    }
}

/// Memory for what is handed to the library, all given back at once by ``recycle()``. Not to be shared by threads.
final class AMQPArena {
    private var pool = amqp_pool_t()

    init() {
        init_amqp_pool(&pool, 4096)
    }

    deinit {
        empty_amqp_pool(&pool)
    }

    func recycle() {
        recycle_amqp_pool(&pool)
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { source in
            guard let base = source.baseAddress, !source.isEmpty else { return amqp_bytes_t() }
            let copy = allocate(source.count)
            copy.copyMemory(from: base, byteCount: source.count)
            return amqp_bytes_t(len: source.count, bytes: copy)
        }
    }

    func table(_ fields: [AMQPField]) -> amqp_table_t {
        let entries = allocate(fields.count * MemoryLayout<amqp_table_entry_t>.stride)
            .bindMemory(to: amqp_table_entry_t.self, capacity: fields.count)
        for (index, field) in fields.enumerated() {
            (entries + index).initialize(
                to: amqp_table_entry_t(key: bytes(field.name), value: fieldValue(field.value))
            )
        }
        return amqp_table_t(num_entries: Int32(fields.count), entries: entries)
    }

    private func fieldValue(_ value: AMQPValue) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        switch value {
        case .string(let text):
            field.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            field.value.bytes = bytes(text)
        case .integer(let number):
            field.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            field.value.i64 = number
        case .boolean(let flag):
            field.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
            field.value.boolean = flag ? 1 : 0
        case .table(let fields):
            field.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
            field.value.table = table(fields)
        case .array(let values):
            let entries = allocate(values.count * MemoryLayout<amqp_field_value_t>.stride)
                .bindMemory(to: amqp_field_value_t.self, capacity: values.count)
            for (index, value) in values.enumerated() { (entries + index).initialize(to: fieldValue(value)) }
            field.kind = UInt8(AMQP_FIELD_KIND_ARRAY.rawValue)
            field.value.array = amqp_array_t(num_entries: Int32(values.count), entries: entries)
        case .other:
            field.kind = UInt8(AMQP_FIELD_KIND_VOID.rawValue)
        }
        return field
    }

    private func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        guard let memory = amqp_pool_alloc(&pool, max(count, 1)) else { fatalError("out of memory") }
        return memory
    }
}

extension String {
    init(_ bytes: amqp_bytes_t) {
        self.init(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

extension [AMQPField] {
    /// Copies a table that the library decoded.
    init(_ table: amqp_table_t) {
        self = (0..<Int(table.num_entries)).map { index in
            AMQPField(String(table.entries[index].key), AMQPValue(table.entries[index].value))
        }
    }
}

extension AMQPValue {
    /// Copies a value that the library decoded.
    init(_ field: amqp_field_value_t) {
        switch UInt32(field.kind) {
        case AMQP_FIELD_KIND_UTF8.rawValue, AMQP_FIELD_KIND_BYTES.rawValue: self = .string(String(field.value.bytes))
        case AMQP_FIELD_KIND_BOOLEAN.rawValue: self = .boolean(field.value.boolean != 0)
        case AMQP_FIELD_KIND_I8.rawValue: self = .integer(Int64(field.value.i8))
        case AMQP_FIELD_KIND_U8.rawValue: self = .integer(Int64(field.value.u8))
        case AMQP_FIELD_KIND_I16.rawValue: self = .integer(Int64(field.value.i16))
        case AMQP_FIELD_KIND_U16.rawValue: self = .integer(Int64(field.value.u16))
        case AMQP_FIELD_KIND_I32.rawValue: self = .integer(Int64(field.value.i32))
        case AMQP_FIELD_KIND_U32.rawValue: self = .integer(Int64(field.value.u32))
        case AMQP_FIELD_KIND_I64.rawValue: self = .integer(field.value.i64)
        case AMQP_FIELD_KIND_U64.rawValue, AMQP_FIELD_KIND_TIMESTAMP.rawValue:
            self = .integer(Int64(clamping: field.value.u64))
        case AMQP_FIELD_KIND_TABLE.rawValue: self = .table([AMQPField](field.value.table))
        case AMQP_FIELD_KIND_ARRAY.rawValue:
            let array = field.value.array
            self = .array((0..<Int(array.num_entries)).map { AMQPValue(array.entries[$0]) })
        default: self = .other
        }
    }
}
