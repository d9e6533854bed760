#pragma once
// The option macros check types by expanding their arguments; the wrappers below are typed themselves.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>

// Swift cannot call variadic functions. One wrapper for each kind of argument that libcurl distinguishes.

static inline CURLcode cf_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode cf_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl copies the text (all string options but `CURLOPT_POSTFIELDS`).
static inline CURLcode cf_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl keeps the pointer: what it points to must outlive the transfer.
static inline CURLcode cf_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

/// For `CURLOPT_WRITEFUNCTION` and `CURLOPT_HEADERFUNCTION`.
static inline CURLcode cf_curl_set_receiver(CURL *handle, CURLoption option, curl_write_callback value) {
    return curl_easy_setopt(handle, option, value);
}

// A `curl_sockopt_callback`; where the option cannot be set, the other time-outs are left.
static inline int cf_curl_limit_silence(void *milliseconds, curl_socket_t socket, curlsocktype purpose) {
    unsigned int limit = (unsigned int)(uintptr_t)milliseconds;
    (void)purpose;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
    return CURL_SOCKOPT_OK;
}

/// Ends connections whose peer's kernel acknowledges nothing for so long, not even the keep-alives that ask for it.
static inline CURLcode cf_curl_set_peer_timeout(CURL *handle, long milliseconds) {
    long seconds = milliseconds > 4000 ? milliseconds / 4000 : 1;
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPIDLE, seconds);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPINTVL, seconds);
    curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, cf_curl_limit_silence);
    return curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, (void *)(uintptr_t)milliseconds);
}

static inline CURLcode cf_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode cf_curl_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return curl_easy_getinfo(handle, info, (char **)value);
}

static inline CURLcode cf_curl_global_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT);
}
