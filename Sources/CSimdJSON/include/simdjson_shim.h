#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a node is. Numbers keep the digits they were written with.
typedef enum {
    CF_JSON_NULL = 0,
    CF_JSON_FALSE = 1,
    CF_JSON_TRUE = 2,
    CF_JSON_NUMBER = 3,
    CF_JSON_STRING = 4,
    CF_JSON_ARRAY = 5,
    CF_JSON_OBJECT = 6,
} cf_json_kind;

/// One value of a document, in document order. The children of a container follow it directly; `end` is the index
/// one past its last descendant, so the next sibling of node `i` is node `nodes[i].end`.
typedef struct {
    uint32_t kind;
    uint32_t end;
    uint32_t raw_start;   ///< Byte range of the value as written, within the input.
    uint32_t raw_length;
    const char *text;     ///< A string's unescaped UTF-8; otherwise NULL. Lives as long as the document.
    uint32_t text_length;
    uint32_t key_length;
    const char *key;      ///< A member's unescaped name; NULL outside objects. Lives as long as the document.
} cf_json_node;

typedef struct cf_json_document cf_json_document;

/// What is wrong with an input that is not JSON: a sentence and the byte it was noticed at.
typedef struct {
    const char *message;
    size_t offset;
} cf_json_error;

/// Reads `length` bytes of UTF-8 JSON. Returns NULL and fills `error` when the text is not valid JSON or UTF-8, nests
/// deeper than `max_depth`, or is larger than 4 GiB. The input is copied.
cf_json_document *cf_json_parse(const char *bytes, size_t length, uint32_t max_depth, cf_json_error *error);
const cf_json_node *cf_json_nodes(const cf_json_document *document, size_t *count);
const char *cf_json_source(const cf_json_document *document, size_t *length);
void cf_json_free(cf_json_document *document);

#ifdef __cplusplus
}
#endif
