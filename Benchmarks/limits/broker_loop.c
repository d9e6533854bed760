/* The broker's own limit: bare loops over librabbitmq, with nothing between them and the socket.
 *
 *   broker_loop fill URL EXCHANGE KEY TYPE PIPELINE FILE WINDOW   publishes each line of FILE, at most WINDOW unconfirmed
 *   broker_loop paced URL EXCHANGE KEY TYPE PIPELINE FILE RATE    publishes RATE lines of FILE a second, and says when each
 *   broker_loop relay URL QUEUE EXCHANGE KEY COUNT PREFETCH       consumes, publishes on, acknowledges what is confirmed
 *   broker_loop await URL QUEUE COUNT                             waits until the queue holds COUNT messages
 *   broker_loop emptied URL QUEUE                                 waits until the queue holds none
 *
 * Prints one JSON object. Exits 1 with a sentence on standard error when anything fails. */

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "broker_loop: %s: %s\n", what, why);
    exit(1);
}

static void check(amqp_connection_state_t connection, const char *what) {
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) fail(what, amqp_error_string2(reply.library_error));
    fail(what, "the broker refused");
}

static amqp_connection_state_t open_connection(const char *url) {
    static char text[1024];
    struct amqp_connection_info info;
    snprintf(text, sizeof text, "%s", url);
    if (amqp_parse_url(text, &info)) fail(url, "is not a broker's address");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (amqp_socket_open(socket, info.host, info.port)) fail("connect", strerror(errno));
    const char *host = info.vhost && *info.vhost ? info.vhost : "/";
    amqp_rpc_reply_t reply =
        amqp_login(connection, host, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("login", "the broker refused");
    amqp_channel_open(connection, 1);
    check(connection, "channel");
    return connection;
}

/* Confirmations by delivery tag: the broker may confirm out of order. */
struct confirms {
    unsigned char *done;
    uint64_t size, contiguous, sent;
};

static void confirm(struct confirms *confirms, uint64_t tag, int multiple) {
    if (multiple)
        for (uint64_t each = confirms->contiguous + 1; each <= tag; each++) confirms->done[each] = 1;
    confirms->done[tag] = 1;
    while (confirms->contiguous < confirms->sent && confirms->done[confirms->contiguous + 1]) confirms->contiguous++;
}

static void read_confirm(amqp_connection_state_t connection, struct confirms *confirms) {
    amqp_frame_t frame;
    amqp_maybe_release_buffers(connection);
    if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK) fail("confirm", "the connection ended");
    if (frame.frame_type != AMQP_FRAME_METHOD) return;
    if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        confirm(confirms, ack->delivery_tag, ack->multiple);
    } else {
        fail("confirm", amqp_method_name(frame.payload.method.id));
    }
}

static int has_frame(amqp_connection_state_t connection) {
    struct timeval none = {0, 0};
    fd_set set;
    if (amqp_frames_enqueued(connection) || amqp_data_in_buffer(connection)) return 1;
    FD_ZERO(&set);
    FD_SET(amqp_get_sockfd(connection), &set);
    return select(amqp_get_sockfd(connection) + 1, &set, NULL, NULL, &none) > 0;
}

static amqp_basic_properties_t properties(const char *type, const char *pipeline, amqp_table_entry_t *entries) {
    amqp_basic_properties_t result;
    memset(&result, 0, sizeof result);
    result._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    result.delivery_mode = 2;
    result.type = amqp_cstring_bytes(type);
    entries[0].key = amqp_cstring_bytes("cf-pipeline");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes(pipeline);
    entries[1].key = amqp_cstring_bytes("cf-attempt");
    entries[1].value.kind = AMQP_FIELD_KIND_I64;
    entries[1].value.value.i64 = 0;
    result.headers.num_entries = 2;
    result.headers.entries = entries;
    return result;
}

static void publish(
    amqp_connection_state_t connection, struct confirms *confirms, const char *exchange, const char *key,
    amqp_basic_properties_t *properties, amqp_bytes_t body, uint64_t window
) {
    char id[32];
    while (confirms->sent - confirms->contiguous >= window) read_confirm(connection, confirms);
    snprintf(id, sizeof id, "bench-%llu", (unsigned long long)confirms->sent);
    properties->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
    properties->message_id = amqp_cstring_bytes(id);
    confirms->sent++;
    int status = amqp_basic_publish(
        connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 1, 0, properties, body);
    if (status != AMQP_STATUS_OK) fail("publish", amqp_error_string2(status));
}

static struct confirms make_confirms(uint64_t size) {
    struct confirms confirms = {calloc(size + 2, 1), size, 0, 0};
    return confirms;
}

static void report(uint64_t messages, double seconds) {
    printf("{\"deliveries\": %llu, \"seconds\": %.6f}\n", (unsigned long long)messages, seconds);
}

static char *read_whole(const char *path, uint64_t *size, uint64_t *lines) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path, strerror(errno));
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (fread(text, 1, *size, file) != *size) fail(path, "cannot be read");
    fclose(file);
    *lines = 0;
    for (uint64_t place = 0; place < *size; place++) *lines += text[place] == '\n';
    return text;
}

static amqp_connection_state_t open_confirming(const char *url) {
    amqp_connection_state_t connection = open_connection(url);
    amqp_confirm_select(connection, 1);
    check(connection, "confirm.select");
    return connection;
}

static void fill(char **arguments) {
    const char *exchange = arguments[1], *key = arguments[2];
    uint64_t window = strtoull(arguments[6], NULL, 10), lines, size;
    char *text = read_whole(arguments[5], &size, &lines), *line = text, *end;
    amqp_connection_state_t connection = open_confirming(arguments[0]);
    amqp_table_entry_t entries[2];
    amqp_basic_properties_t values = properties(arguments[3], arguments[4], entries);
    struct confirms confirms = make_confirms(lines);
    double start = now();
    while ((end = memchr(line, '\n', text + size - line))) {
        amqp_bytes_t body = {end - line, line};
        publish(connection, &confirms, exchange, key, &values, body, window);
        while (has_frame(connection)) read_confirm(connection, &confirms);
        line = end + 1;
    }
    while (confirms.contiguous < confirms.sent) read_confirm(connection, &confirms);
    report(lines, now() - start);
}

/* Reads confirms until it is time. */
static void pass_time(amqp_connection_state_t connection, struct confirms *confirms, double until) {
    for (double left; (left = until - now()) > 0;) {
        struct timeval wait = {(time_t)left, (suseconds_t)((left - (time_t)left) * 1e6)};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(amqp_get_sockfd(connection), &set);
        if (has_frame(connection) || select(amqp_get_sockfd(connection) + 1, &set, NULL, NULL, &wait) > 0)
            read_confirm(connection, confirms);
    }
}

static void paced(char **arguments) {
    double rate = strtod(arguments[6], NULL), start;
    uint64_t lines, size, sent = 0;
    char *text = read_whole(arguments[5], &size, &lines), *line = text, *end;
    double *at = calloc(lines, sizeof *at);
    amqp_connection_state_t connection = open_confirming(arguments[0]);
    amqp_table_entry_t entries[2];
    amqp_basic_properties_t values = properties(arguments[3], arguments[4], entries);
    struct confirms confirms = make_confirms(lines);
    start = now();
    while ((end = memchr(line, '\n', text + size - line))) {
        amqp_bytes_t body = {end - line, line};
        struct timespec time;
        pass_time(connection, &confirms, start + sent / rate);
        clock_gettime(CLOCK_REALTIME, &time);
        at[sent++] = time.tv_sec + time.tv_nsec / 1e9;
        publish(connection, &confirms, arguments[1], arguments[2], &values, body, lines + 1);
        line = end + 1;
    }
    while (confirms.contiguous < confirms.sent) read_confirm(connection, &confirms);
    printf("{\"deliveries\": %llu, \"seconds\": %.6f, \"at\": [", (unsigned long long)sent, now() - start);
    for (uint64_t index = 0; index < sent; index++) printf("%s%.6f", index ? "," : "", at[index]);
    printf("]}\n");
}

static void begin_consuming(amqp_connection_state_t connection, const char *queue, int prefetch) {
    amqp_basic_qos(connection, 1, 0, prefetch, 0);
    check(connection, "qos");
    amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check(connection, "consume");
}

static void relay(char **arguments) {
    const char *exchange = arguments[2], *key = arguments[3];
    uint64_t count = strtoull(arguments[4], NULL, 10), prefetch = strtoull(arguments[5], NULL, 10);
    uint64_t received = 0, acknowledged = 0;
    amqp_connection_state_t in = open_connection(arguments[0]), out = open_confirming(arguments[0]);
    struct confirms confirms = make_confirms(count);
    amqp_table_entry_t entries[2];
    amqp_basic_properties_t values = properties("message.page", "bench", entries);
    begin_consuming(in, arguments[1], (int)prefetch);
    double start = 0;
    while (acknowledged < count) {
        if (received < count && received - acknowledged < prefetch && (received == acknowledged || has_frame(in))) {
            amqp_envelope_t envelope;
            struct timeval patience = {30, 0};
            amqp_maybe_release_buffers(in);
            amqp_rpc_reply_t reply = amqp_consume_message(in, &envelope, &patience, 0);
            if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("consume", "nothing came for 30 s");
            if (!start) start = now();
            received++;
            publish(out, &confirms, exchange, key, &values, envelope.message.body, prefetch + 1);
            amqp_destroy_envelope(&envelope);
        } else {
            read_confirm(out, &confirms);
        }
        while (has_frame(out)) read_confirm(out, &confirms);
        if (confirms.contiguous > acknowledged) {
            amqp_basic_ack(in, 1, confirms.contiguous, 1);
            acknowledged = confirms.contiguous;
        }
    }
    report(count, now() - start);
    amqp_channel_close(in, 1, AMQP_REPLY_SUCCESS);
    amqp_connection_close(in, AMQP_REPLY_SUCCESS);
}

/* Samples the queue's length until the end; says when it first changed and when it ended. */
static void watch(char **arguments, int emptying) {
    uint64_t wanted = emptying ? 0 : strtoull(arguments[2], NULL, 10), first = UINT64_MAX, at_first = 0;
    amqp_connection_state_t connection = open_connection(arguments[0]);
    double start = now(), begun = 0;
    while (1) {
        amqp_queue_declare_ok_t *state =
            amqp_queue_declare(connection, 1, amqp_cstring_bytes(arguments[1]), 1, 0, 0, 0, amqp_empty_table);
        check(connection, arguments[1]);
        uint64_t length = state->message_count;
        amqp_maybe_release_buffers(connection);
        if (first == UINT64_MAX) first = length;
        if (!begun && length != first) begun = now(), at_first = length;
        if (emptying ? length == 0 : length >= wanted) break;
        if (now() - start > 300) fail(arguments[1], "not within 300 s");
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    double end = now();
    if (!begun) begun = end, at_first = first;
    uint64_t moved = emptying ? at_first : wanted - at_first;
    printf(
        "{\"deliveries\": %llu, \"seconds\": %.6f, \"begun\": %.6f, \"ended\": %.6f}\n", (unsigned long long)moved,
        end - begun, begun, end);
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    arguments += 2;
    count -= 2;
    if (!strcmp(mode, "fill") && count == 7) fill(arguments);
    else if (!strcmp(mode, "paced") && count == 7) paced(arguments);
    else if (!strcmp(mode, "relay") && count == 6) relay(arguments);
    else if (!strcmp(mode, "await") && count == 3) watch(arguments, 0);
    else if (!strcmp(mode, "emptied") && count == 2) watch(arguments, 1);
    else fail("usage", "fill | paced | relay | await | emptied; see the head of this file");
    return 0;
}
