#include "simdjson_shim.h"

// An exception must not cross into Swift; without them every result has to be asked for its error.
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

using namespace simdjson;

namespace {

/// A copy of the text with the room behind it that simdjson reads into.
class Source {
public:
    void assign(const char *bytes, size_t length) {
        if (memory.size() < length + SIMDJSON_PADDING) memory.resize(length + SIMDJSON_PADDING);
        if (length) memcpy(memory.data(), bytes, length);
        memset(memory.data() + length, 0, SIMDJSON_PADDING);
        count = length;
    }
    const char *data() const { return memory.data(); }
    size_t size() const { return count; }
    size_t capacity() const { return memory.size(); }

private:
    std::vector<char> memory;
    size_t count = 0;
};

}  // namespace

struct cf_json_document {
    Source source;
    ondemand::parser parser;
    std::vector<cf_json_node> nodes;
    /// Strings that simdjson refuses to unescape; a deque keeps them in place.
    std::deque<std::string> lenient;
};

namespace {

constexpr const char *bad_number = "a number is not written as JSON allows";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// RFC 8259 section 6. simdjson checks a number only when it converts it, and converting would lose digits.
bool is_number(std::string_view text) {
    size_t i = 0;
    auto digits = [&] {
        size_t start = i;
        while (i < text.size() && is_digit(text[i])) i++;
        return i - start;
    };
    if (i < text.size() && text[i] == '-') i++;
    bool zero = i < text.size() && text[i] == '0';
    size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (i < text.size() && text[i] == '.') {
        i++;
        if (digits() == 0) return false;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < text.size() && (text[i] == '+' || text[i] == '-')) i++;
        if (digits() == 0) return false;
    }
    return i == text.size();
}

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_utf8(std::string &out, uint32_t scalar) {
    if (scalar < 0x80) {
        out += char(scalar);
    } else if (scalar < 0x800) {
        out += char(0xC0 | scalar >> 6);
        out += char(0x80 | (scalar & 0x3F));
    } else if (scalar < 0x10000) {
        out += char(0xE0 | scalar >> 12);
        out += char(0x80 | (scalar >> 6 & 0x3F));
        out += char(0x80 | (scalar & 0x3F));
    } else {
        out += char(0xF0 | scalar >> 18);
        out += char(0x80 | (scalar >> 12 & 0x3F));
        out += char(0x80 | (scalar >> 6 & 0x3F));
        out += char(0x80 | (scalar & 0x3F));
    }
}

/// The four digits of a \u escape that starts at `at`; -1 when there is none.
int32_t code_unit(std::string_view text, size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
    int32_t unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/// Unescapes a string token as simdjson does, but for half a surrogate pair, which RFC 8259 (section 8.2) lets a
/// sender write: it becomes U+FFFD, so that one such message does not make its whole page unreadable.
bool unescape_leniently(std::string_view token, std::string &out) {
    if (token.size() < 2 || token.front() != '"' || token.back() != '"') return false;
    std::string_view text = token.substr(1, token.size() - 2);
    for (size_t i = 0; i < text.size();) {
        if (text[i] != '\\') {
            out += text[i++];
            continue;
        }
        if (i + 1 >= text.size()) return false;
        static constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        size_t simple = escapes.find(text[i + 1]);
        if (simple != std::string_view::npos) {
            out += meanings[simple];
            i += 2;
            continue;
        }
        int32_t unit = code_unit(text, i);
        if (unit < 0) return false;
        i += 6;
        uint32_t scalar = uint32_t(unit);
        if (unit >= 0xD800 && unit < 0xE000) {
            int32_t low = unit < 0xDC00 ? code_unit(text, i) : -1;
            if (low >= 0xDC00 && low < 0xE000) {
                scalar = 0x10000 + (uint32_t(unit - 0xD800) << 10) + uint32_t(low - 0xDC00);
                i += 6;
            } else {
                scalar = 0xFFFD;
            }
        }
        append_utf8(out, scalar);
    }
    return true;
}

/// A key with its quotes, from the first of them on.
std::string_view key_token(const char *start) {
    const char *end = start + 1;
    while (*end != '"') end += *end == '\\' ? 2 : 1;
    return {start, size_t(end + 1 - start)};
}

struct Walker {
    cf_json_document &document;
    ondemand::document &json;
    uint32_t max_depth;
    const char *failure = nullptr;
    const char *where = nullptr;

    bool fail(const char *message, const char *at) {
        if (!failure) {
            failure = message;
            where = at;
        }
        return false;
    }

    bool fail(error_code code) {
        const char *at = nullptr;
        if (json.current_location().get(at)) at = nullptr;
        return fail(error_message(code), at);
    }

    /// The end of a container whose children have all been read: the next token, less the white space before it.
    uint32_t end_of_container() {
        const char *start = document.source.data();
        const char *at = nullptr;
        if (json.current_location().get(at)) at = start + document.source.size();
        while (at > start && at[-1] != '}' && at[-1] != ']') at--;
        return uint32_t(at - start);
    }

    bool value(ondemand::value value, std::string_view key, uint32_t depth) {
        if (depth > max_depth) return fail("the text nests too deep", value.raw_json_token().data());
        ondemand::json_type type;
        if (auto error = value.type().get(type)) return fail(error);
        std::string_view token = value.raw_json_token();
        while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t'))
            token.remove_suffix(1);
        size_t index = document.nodes.size();
        cf_json_node node{};
        node.raw_start = uint32_t(token.data() - document.source.data());
        node.raw_length = uint32_t(token.size());
        node.key = key.data();
        node.key_length = uint32_t(key.size());
        document.nodes.push_back(node);
        uint32_t kind = CF_JSON_NULL;
        switch (type) {
        case ondemand::json_type::null: {
            bool null = false;
            if (simdjson_result<bool>(value.is_null()).get(null) || !null) return fail("a value is not JSON", token.data());
            break;
        }
        case ondemand::json_type::boolean: {
            bool truth;
            if (auto error = value.get_bool().get(truth)) return fail(error);
            kind = truth ? CF_JSON_TRUE : CF_JSON_FALSE;
            break;
        }
        case ondemand::json_type::number:
            if (!is_number(token)) return fail(bad_number, token.data());
            kind = CF_JSON_NUMBER;
            break;
        case ondemand::json_type::string: {
            std::string_view text;
            if (auto error = value.get_string().get(text)) {
                std::string &lenient = document.lenient.emplace_back();
                if (!unescape_leniently(token, lenient)) return fail(error);
                text = lenient;
            }
            kind = CF_JSON_STRING;
            document.nodes[index].text = text.data();
            document.nodes[index].text_length = uint32_t(text.size());
            break;
        }
        case ondemand::json_type::array: {
            ondemand::array array;
            if (auto error = value.get_array().get(array)) return fail(error);
            for (auto element : array) {
                ondemand::value child;
                if (auto error = element.get(child)) return fail(error);
                if (!this->value(child, {}, depth + 1)) return false;
            }
            kind = CF_JSON_ARRAY;
            document.nodes[index].raw_length = end_of_container() - node.raw_start;
            break;
        }
        case ondemand::json_type::object: {
            ondemand::object object;
            if (auto error = value.get_object().get(object)) return fail(error);
            for (auto member : object) {
                ondemand::field field;
                if (auto error = std::move(member).get(field)) return fail(error);
                const char *key = field.key().raw() - 1;
                std::string_view name;
                if (auto error = field.unescaped_key().get(name)) {
                    std::string &lenient = document.lenient.emplace_back();
                    if (!unescape_leniently(key_token(key), lenient)) return fail(error);
                    name = lenient;
                }
                if (!this->value(field.value(), name, depth + 1)) return false;
            }
            kind = CF_JSON_OBJECT;
            document.nodes[index].raw_length = end_of_container() - node.raw_start;
            break;
        }
        }
        document.nodes[index].kind = kind;
        document.nodes[index].end = uint32_t(document.nodes.size());
        return true;
    }
};

/// One document a thread waits for the next text: pages come in numbers, and their memory is worth keeping.
thread_local std::unique_ptr<cf_json_document> spare;
/// More than a page has; what is larger goes back at once.
constexpr size_t spare_bytes = 512 << 10, spare_nodes = 64 << 10;

}  // namespace

extern "C" cf_json_document *cf_json_parse(const char *bytes, size_t length, uint32_t max_depth, cf_json_error *error) {
    auto refuse = [&](cf_json_document *document, const char *message, size_t offset) -> cf_json_document * {
        error->message = message;
        error->offset = offset;
        cf_json_free(document);
        return nullptr;
    };
    if (length >= UINT32_MAX) return refuse(nullptr, "the text is larger than 4 GiB", 0);
    auto *document = spare ? spare.release() : new (std::nothrow) cf_json_document;
    if (!document) return refuse(nullptr, "out of memory", 0);
    document->source.assign(bytes, length);
    ondemand::document json;
    if (auto code = document->parser.iterate(document->source.data(), length, document->source.capacity()).get(json))
        return refuse(document, error_message(code), 0);
    Walker walker{*document, json, max_depth};
    bool scalar = false;
    if (auto code = json.is_scalar().get(scalar)) return refuse(document, error_message(code), 0);
    // simdjson gives no value for a lone scalar; nothing we exchange is one.
    if (scalar) return refuse(document, "the text is neither an object nor an array", 0);
    ondemand::value root;
    if (auto code = json.get_value().get(root)) return refuse(document, error_message(code), 0);
    if (!walker.value(root, {}, 1))
        return refuse(document, walker.failure, walker.where ? size_t(walker.where - document->source.data()) : 0);
    const char *rest = nullptr;
    if (!json.current_location().get(rest) && rest < document->source.data() + length)
        return refuse(document, "something follows the end of the JSON text", size_t(rest - document->source.data()));
    return document;
}

extern "C" const cf_json_node *cf_json_nodes(const cf_json_document *document, size_t *count) {
    *count = document->nodes.size();
    return document->nodes.data();
}

extern "C" const char *cf_json_source(const cf_json_document *document, size_t *length) {
    *length = document->source.size();
    return document->source.data();
}

extern "C" void cf_json_free(cf_json_document *document) {
    if (!document) return;
    if (spare || document->source.capacity() > spare_bytes || document->nodes.capacity() > spare_nodes) {
        delete document;
        return;
    }
    document->nodes.clear();
    document->lenient.clear();
    spare.reset(document);
}
