/* Postgres' own limit for the rows that store writes: the same statements with the same binary arrays, prepared before
 * the clock starts, on one bare libpq connection.
 *
 *   unnest_loop URL TAPE
 *
 * The tape (made by bench.py) is a row of entries, integers little-endian:
 *   'B' and 'C'                             begin and commit
 *   'P' u32 number, u32 length, text        prepare this statement
 *   'E' u32 number, u32 parameters, then for each: u32 length, bytes in Postgres' binary format
 *
 * Prints {"transactions": …, "seconds": …}. Exits 1 with the server's words when a statement fails. */

#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { most_parameters = 64 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void finish(PGconn *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "unnest_loop: %s", PQerrorMessage(connection));
        exit(1);
    }
    PQclear(result);
}

static uint32_t number(char **place) {
    uint32_t value;
    memcpy(&value, *place, 4);
    *place += 4;
    return value;
}

static void execute(PGconn *connection, char **place) {
    const char *values[most_parameters];
    int lengths[most_parameters], formats[most_parameters];
    char name[16];
    snprintf(name, sizeof name, "s%u", number(place));
    uint32_t count = number(place);
    for (uint32_t index = 0; index < count; index++) {
        lengths[index] = (int)number(place);
        formats[index] = 1;
        values[index] = *place;
        *place += lengths[index];
    }
    finish(connection, PQexecPrepared(connection, name, (int)count, values, lengths, formats, 0));
}

static void prepare(PGconn *connection, char **place) {
    char name[16];
    snprintf(name, sizeof name, "s%u", number(place));
    uint32_t length = number(place);
    char *text = strndup(*place, length);
    *place += length;
    finish(connection, PQprepare(connection, name, text, 0, NULL));
    free(text);
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: unnest_loop URL TAPE\n"), 64;
    FILE *file = fopen(arguments[2], "rb");
    if (!file) return perror(arguments[2]), 1;
    fseek(file, 0, SEEK_END);
    size_t size = ftell(file);
    rewind(file);
    char *tape = malloc(size), *place = tape;
    if (fread(tape, 1, size, file) != size) return perror(arguments[2]), 1;
    PGconn *connection = PQconnectdb(arguments[1]);
    if (PQstatus(connection) != CONNECTION_OK) return fprintf(stderr, "%s", PQerrorMessage(connection)), 1;
    unsigned long transactions = 0;
    double start = 0;
    while (place < tape + size) {
        switch (*place++) {
        case 'P': prepare(connection, &place); break;
        case 'B':
            if (!start) start = now();
            finish(connection, PQexec(connection, "BEGIN"));
            break;
        case 'C': finish(connection, PQexec(connection, "COMMIT")), transactions++; break;
        case 'E': execute(connection, &place); break;
        default: return fprintf(stderr, "unnest_loop: the tape is damaged\n"), 1;
        }
    }
    printf("{\"transactions\": %lu, \"seconds\": %.6f}\n", transactions, now() - start);
    PQfinish(connection);
    return 0;
}
