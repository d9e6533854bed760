import CYAML

/// libyaml's stream of events over one text, the only use of that library here. It owns the C parser.
struct YAMLEvents: ~Copyable {
    /// An event in Swift values. Indexes count Unicode scalars from the start of the text.
    struct Event {
        enum Kind {
            case streamStart, streamEnd, documentStart, documentEnd
            case alias(String)
            case scalar(String, isPlain: Bool)
            case sequenceStart, sequenceEnd
            case mappingStart, mappingEnd
        }

        var kind: Kind
        var anchor: String?
        var tag: String?
        var mark: SourceMark
        var startIndex: Int
        var endIndex: Int
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ text: String) {
        parser = .allocate(capacity: 1)
        bytes = .allocate(capacity: text.utf8.count)
        _ = bytes.initialize(from: text.utf8)
        precondition(yaml_parser_initialize(parser) == 1, "libyaml: out of memory")
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        bytes.deallocate()
    }

    /// - Throws: ``YAMLSyntaxError``, after which no more events may be asked for.
    func next() throws(YAMLSyntaxError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        var anchor: UnsafeMutablePointer<yaml_char_t>?
        var tag: UnsafeMutablePointer<yaml_char_t>?
        let kind: Event.Kind
        switch event.type {
        case YAML_STREAM_START_EVENT: kind = .streamStart
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_ALIAS_EVENT: kind = .alias(Self.text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            (anchor, tag) = (scalar.anchor, scalar.tag)
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            kind = .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_SEQUENCE_START_EVENT:
            (anchor, tag) = (event.data.sequence_start.anchor, event.data.sequence_start.tag)
            kind = .sequenceStart
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            (anchor, tag) = (event.data.mapping_start.anchor, event.data.mapping_start.tag)
            kind = .mappingStart
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        default: kind = .streamEnd
        }
        return Event(
            kind: kind,
            anchor: Self.text(anchor),
            tag: Self.text(tag),
            mark: SourceMark(event.start_mark),
            startIndex: event.start_mark.index,
            endIndex: event.end_mark.index
        )
    }

    private func syntaxError() -> YAMLSyntaxError {
        let state = parser.pointee
        let isReader = state.error == YAML_READER_ERROR
        return YAMLSyntaxError(
            problem: state.problem.map { String(cString: $0) } ?? "out of memory",
            mark: isReader ? mark(atByte: state.problem_offset) : SourceMark(state.problem_mark),
            contextMark: state.context == nil ? nil : SourceMark(state.context_mark)
        )
    }

    /// A reader error knows only its byte, not its line.
    private func mark(atByte offset: Int) -> SourceMark {
        let before = String(decoding: bytes.prefix(offset), as: UTF8.self).unicodeScalars
        let line = before.count { $0 == "\n" } + 1
        let column = before.reversed().prefix { $0 != "\n" }.count + 1
        return SourceMark(line: line, column: column)
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}

extension SourceMark {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }
}
