internal import Model
internal import PipelineFile

/// Makes the `embeds:` of an example into what Discord would send.
///
/// Written as Discord names the parts, with three short forms: `author: Ann`, `footer: Bot`, and fields as a map of
/// names to values.
enum ExampleEmbeds {
    static func document(_ node: YAMLNode, _ diagnostics: inout Diagnostics) -> JSONDocument? {
        var writer = JSONWriter()
        writer.array { writer in
            for embed in node.elements {
                guard let pairs = embed.mapping else {
                    diagnostics.error("an embed is a map, not \(embed.described)", at: embed)
                    continue
                }
                writer.object { writer in
                    for pair in pairs {
                        writer.key(pair.name)
                        write(pair, &writer)
                    }
                }
            }
        }
        do {
            return try JSONDocument(writer.bytes)
        } catch {
            diagnostics.error("these embeds are \(error)", at: node)
            return nil
        }
    }

    private static func write(_ part: YAMLPair, _ writer: inout JSONWriter) {
        switch (part.name, part.value.content) {
        case ("author", .scalar(let text, _)):
            writer.object {
                $0.key("name"); $0.value(text)
            }
        case ("footer", .scalar(let text, _)):
            writer.object {
                $0.key("text"); $0.value(text)
            }
        case ("fields", .mapping(let fields)):
            writer.array { writer in
                for field in fields {
                    writer.object { writer in
                        writer.key("name")
                        writer.value(field.name)
                        writer.key("value")
                        writer.value(field.value.scalar ?? "")
                    }
                }
            }
        default: write(part.value, &writer)
        }
    }

    private static func write(_ node: YAMLNode, _ writer: inout JSONWriter) {
        switch node.content {
        case .scalar(let text, _):
            if node.isNull { return writer.null() }
            if let boolean = node.boolean { return writer.value(boolean) }
            if let integer = node.integer { return writer.value(integer) }
            writer.value(text)
        case .sequence(let nodes):
            writer.array { writer in for node in nodes { write(node, &writer) } }
        case .mapping(let pairs):
            writer.object { writer in
                for pair in pairs {
                    writer.key(pair.name)
                    write(pair.value, &writer)
                }
            }
        }
    }
}
