#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The limit of page decoding: simdjson alone reads the whole text (its document interface: everything is validated,
/// strings are unescaped), with nothing built from it. Returns the elements of the outermost array, or -1 when the text
/// is not a JSON array. Not for several threads.
int64_t bench_simdjson_alone(const char *bytes, size_t length);

/// Does nothing; callgrind writes its counts down each time it is called (`--dump-before=bench_mark`).
void bench_mark(void);

#ifdef __cplusplus
}
#endif
