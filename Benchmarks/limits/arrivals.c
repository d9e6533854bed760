/* When rows become known: listens on the database's channel `bench`, on which a trigger tells the id of each new row.
 *
 *   arrivals URL COUNT
 *
 * Prints `listening`, and after COUNT rows a line `ID SECONDS` for each, by the machine's clock. Exits 1 when none comes
 * for 30 s. */

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

struct arrival {
    char id[24];
    struct timespec time;
};

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: arrivals URL COUNT\n"), 64;
    size_t wanted = strtoull(arguments[2], NULL, 10), seen = 0;
    struct arrival *arrivals = calloc(wanted, sizeof *arrivals);
    PGconn *connection = PQconnectdb(arguments[1]);
    PGresult *result = PQexec(connection, "LISTEN bench");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) return fprintf(stderr, "%s", PQerrorMessage(connection)), 1;
    PQclear(result);
    printf("listening\n");
    fflush(stdout);
    while (seen < wanted) {
        struct timeval patience = {30, 0};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(PQsocket(connection), &set);
        if (select(PQsocket(connection) + 1, &set, NULL, NULL, &patience) <= 0 || !PQconsumeInput(connection))
            return fprintf(stderr, "arrivals: %zu of %zu rows, and no more come\n", seen, wanted), 1;
        struct timespec time;
        clock_gettime(CLOCK_REALTIME, &time);
        for (PGnotify *notice; seen < wanted && (notice = PQnotifies(connection)); PQfreemem(notice)) {
            snprintf(arrivals[seen].id, sizeof arrivals[seen].id, "%s", notice->extra);
            arrivals[seen++].time = time;
        }
    }
    for (size_t index = 0; index < seen; index++)
        printf("%s %ld.%09ld\n", arrivals[index].id, (long)arrivals[index].time.tv_sec, arrivals[index].time.tv_nsec);
    PQfinish(connection);
    return 0;
}
