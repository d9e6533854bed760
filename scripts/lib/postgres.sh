# Private PostgreSQL clusters for tests, demos and benchmarks. To be sourced by bash:
#
#   . scripts/lib/postgres.sh
#   postgres_start DIR      a cluster in DIR: makes it, or starts the one that is there; exports DATABASE_URL
#   postgres_restart DIR    stops it fast and starts it again on the same port
#   postgres_stop DIR       stops it fast and waits until it is gone; nothing to stop is no error
#
# The server listens on loopback only, on a free port, and asks for a password. It runs as the caller, or as the user
# `postgres` when the caller is root, since the server refuses to run as root. DIR then belongs to that user, but may lie
# anywhere, also below a folder that only root may enter. Everything is in DIR: `data`, `port`, `password`, `log`.

# The folder of the newest installed server's programs, such as /usr/lib/postgresql/15/bin.
_postgres_bin() {
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb | grep -v '\*' | sort -V | tail -n 1)
    [ -n "$newest" ] || newest=$(command -v initdb || true)
    if [ -z "$newest" ]; then
        echo "postgres: no server programs found; on Debian: apt-get install postgresql" >&2
        return 69
    fi
    dirname "$newest"
}

# What the server programs call DIR: a descriptor opened by the caller and inherited by all of them, since their user
# may not be allowed to enter the folders above DIR.
_postgres_dir=/proc/self/fd/9

# _postgres_as_server DIR PROGRAM [ARGUMENT...]: runs a program as the user the server may run as, with DIR open.
_postgres_as_server() {
    (
        exec 9<"$1" && cd / && shift || exit
        [ "$(id -u)" -ne 0 ] || set -- setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
        exec "$@"
    )
}

# A port nobody listens on now. Another program may take it before we do, so the caller tries more than once.
_postgres_free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

_postgres_create() {
    local dir=$1 bin=$2
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$dir"; fi
    (umask 077 && od -An -N12 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$dir/password"; fi
    rm -rf "$dir/data"
    if ! _postgres_as_server "$dir" "$bin/initdb" -D "$_postgres_dir/data" -U chaffinch \
        --pwfile="$_postgres_dir/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync \
        >"$dir/initdb.log" 2>&1; then
        cat "$dir/initdb.log" >&2
        return 69
    fi
    touch "$dir/data/chaffinch-created"
}

_postgres_launch() {
    local dir=$1 bin=$2 port=$3
    _postgres_as_server "$dir" "$bin/pg_ctl" -D "$_postgres_dir/data" -l "$_postgres_dir/log" -w -t 60 -s \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200" \
        start >/dev/null 2>&1
}

postgres_start() {
    local dir bin port attempt
    mkdir -p "${1:?postgres_start DIR}" || return
    dir=$(cd "$1" && pwd) || return
    bin=$(_postgres_bin) || return
    [ -e "$dir/data/chaffinch-created" ] || _postgres_create "$dir" "$bin" || return
    if ! _postgres_as_server "$dir" "$bin/pg_ctl" -D "$_postgres_dir/data" status >/dev/null 2>&1; then
        port=$(cat "$dir/port" 2>/dev/null || _postgres_free_port)
        for attempt in 1 2 3 4 5; do
            if _postgres_launch "$dir" "$bin" "$port"; then break; fi
            if [ "$attempt" -eq 5 ]; then
                echo "postgres: the server did not start; the end of $dir/log:" >&2
                tail -n 20 "$dir/log" >&2
                return 69
            fi
            port=$(_postgres_free_port)
        done
        echo "$port" >"$dir/port"
    fi
    DATABASE_URL="postgres://chaffinch:$(cat "$dir/password")@127.0.0.1:$(cat "$dir/port")/postgres"
    export DATABASE_URL
}

postgres_stop() {
    local dir bin
    dir=${1:?postgres_stop DIR}
    [ -d "$dir/data" ] || return 0
    dir=$(cd "$dir" && pwd)
    bin=$(_postgres_bin) || return
    _postgres_as_server "$dir" "$bin/pg_ctl" -D "$_postgres_dir/data" status >/dev/null 2>&1 || return 0
    _postgres_as_server "$dir" "$bin/pg_ctl" -D "$_postgres_dir/data" -m fast -w -t 60 -s stop
}

postgres_restart() {
    postgres_stop "${1:?postgres_restart DIR}" && postgres_start "$1"
}
