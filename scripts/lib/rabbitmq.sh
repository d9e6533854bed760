# shellcheck shell=bash
# A private RabbitMQ for tests and demos; to be sourced by a bash script.
#
#   rabbitmq_start DIR        starts a node and its epmd in DIR, both on free loopback ports; exports RABBITMQ_URL, and
#                             RABBITMQCTL, a program that runs rabbitmqctl against this node
#   rabbitmq_stop DIR         stops both, by force after a time-out; harmless when nothing runs
#   rabbitmq_ctl DIR ARGS...  rabbitmqctl against that node
#
# DIR holds everything: data, logs (DIR/node.log), cookie, pids. Works as any user, also as root.
#
# With CHAFFINCH_RABBITMQ_ROOT, a folder with another Debian in it (scripts/lib/debian.sh), the server of that Debian is
# run: it sees that folder's /usr in the place of this machine's, and everything else as it is. Only root may do that.

# The directory of RabbitMQ's own scripts: Debian's wrappers in /usr/sbin would change to the user rabbitmq.
_rabbitmq_home() {
    local home root=${CHAFFINCH_RABBITMQ_ROOT:-}
    for home in "${RABBITMQ_SERVER_HOME:-}" "$root"/usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/rabbitmq; do
        if [[ -n "$home" && -x "$home/sbin/rabbitmq-server" ]]; then
            printf '%s\n' "${home#"$root"}"
            return 0
        fi
    done
    echo "RabbitMQ is not installed; install rabbitmq-server" >&2
    return 1
}

# What becomes the program given, with the other Debian's /usr in its place; by `exec`, so that its pid stays.
_rabbitmq_become() {
    [[ -n "${CHAFFINCH_RABBITMQ_ROOT:-}" ]] || exec "$@"
    # shellcheck disable=SC2016
    exec unshare --mount --propagation private /bin/bash -c '
        mount --bind "$0/etc/ld.so.cache" /etc/ld.so.cache && mount --bind "$0/usr" /usr && exec "$@"
    ' "$CHAFFINCH_RABBITMQ_ROOT" "$@"
}

_rabbitmq_epmd() {
    local candidate
    for candidate in "$(command -v epmd || true)" /usr/lib/erlang/erts-*/bin/epmd /usr/local/lib/erlang/erts-*/bin/epmd
    do
        if [[ -x "$candidate" ]]; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    echo "epmd is not installed; it comes with Erlang (erlang-base)" >&2
    return 1
}

# A loopback port nobody listens on, below the range the kernel hands out itself.
_rabbitmq_free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return 0
        fi
    done
}

_rabbitmq_alive() {
    [[ -n "${1:-}" ]] && kill -0 "$1" 2>/dev/null
}

# Ends one process: politely, then by force after so many seconds.
_rabbitmq_end() {
    local pid=$1 seconds=$2 waited=0
    _rabbitmq_alive "$pid" || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while _rabbitmq_alive "$pid" && ((waited < seconds * 10)); do
        # A child of this shell stays a zombie, and "alive", until it is waited for.
        [[ "$(ps -o stat= -p "$pid" 2>/dev/null)" == Z* ]] && break
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# The environment of everything Erlang in DIR, as assignments for `env`.
_rabbitmq_environment() {
    local dir=$1
    # shellcheck source=/dev/null
    source "$dir/ports"
    RABBITMQ_ENVIRONMENT=(
        "HOME=$dir" "ERL_EPMD_PORT=$EPMD_PORT" "ERL_EPMD_ADDRESS=127.0.0.1"
        "RABBITMQ_NODENAME=$NODE_NAME" "RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq-env.conf"
        "RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins" "RABBITMQ_MNESIA_BASE=$dir/mnesia"
        "RABBITMQ_GENERATED_CONFIG_DIR=$dir/config" "RABBITMQ_LOG_BASE=$dir/log" "RABBITMQ_LOGS=-"
        "RABBITMQ_DIST_PORT=$DIST_PORT" "RUNNING_UNDER_SYSTEMD=true" "NOTIFY_SOCKET="
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
    )
}

rabbitmq_start() {
    local dir home epmd waited=0
    mkdir -p "$1" && dir=$(cd "$1" && pwd) || return 1
    home=$(_rabbitmq_home) && epmd=$(_rabbitmq_epmd) || return 1
    rabbitmq_stop "$dir"

    local amqp_port epmd_port dist_port
    amqp_port=$(_rabbitmq_free_port)
    epmd_port=$(_rabbitmq_free_port)
    dist_port=$(_rabbitmq_free_port)
    (
        umask 077
        if [[ ! -s "$dir/password" ]]; then
            od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password"
        fi
        if [[ ! -s "$dir/.erlang.cookie" ]]; then
            od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/.erlang.cookie"
            chmod 400 "$dir/.erlang.cookie"
        fi
        cat >"$dir/ports" <<PORTS
AMQP_PORT=$amqp_port
EPMD_PORT=$epmd_port
DIST_PORT=$dist_port
NODE_NAME=chaffinch-test@localhost
PORTS
        cat >"$dir/rabbitmq.conf" <<CONFIGURATION
listeners.tcp.1 = 127.0.0.1:$amqp_port
default_user = chaffinch
default_pass = $(cat "$dir/password")
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.relative = 0.4
log.console = true
log.console.level = info
log.file = false
CONFIGURATION
        echo '[].' >"$dir/enabled_plugins"
        : >"$dir/rabbitmq-env.conf"
        echo '[].' >"$dir/advanced.config"
    ) || return 1

    local RABBITMQ_ENVIRONMENT
    _rabbitmq_environment "$dir"
    env "${RABBITMQ_ENVIRONMENT[@]}" "$epmd" -address 127.0.0.1 -port "$epmd_port" \
        >"$dir/epmd.log" 2>&1 </dev/null &
    echo $! >"$dir/epmd.pid"
    (_rabbitmq_become env "${RABBITMQ_ENVIRONMENT[@]}" "$home/sbin/rabbitmq-server") \
        >"$dir/node.log" 2>&1 </dev/null &
    echo $! >"$dir/node.pid"

    # The AMQP listener opens last, so the first greeting means the node is up.
    while ! _rabbitmq_answers "$amqp_port"; do
        if ! _rabbitmq_alive "$(cat "$dir/node.pid")" || ((waited >= 600)); then
            echo "RabbitMQ did not start; the end of $dir/node.log:" >&2
            tail -n 20 "$dir/node.log" >&2
            rabbitmq_stop "$dir"
            return 1
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
    _rabbitmq_write_ctl "$dir" "$home"
    RABBITMQCTL="$dir/rabbitmqctl"
    RABBITMQ_URL="amqp://chaffinch:$(cat "$dir/password")@127.0.0.1:$amqp_port/"
    export RABBITMQ_URL RABBITMQCTL
}

# rabbitmqctl with the node's environment, as a program that tests can run too.
_rabbitmq_write_ctl() {
    local dir=$1 home=$2 assignment
    {
        echo '#!/bin/bash'
        declare -f _rabbitmq_become
        printf 'CHAFFINCH_RABBITMQ_ROOT=%q\n' "${CHAFFINCH_RABBITMQ_ROOT:-}"
        for assignment in "${RABBITMQ_ENVIRONMENT[@]}"; do
            printf "export %s='%s'\n" "${assignment%%=*}" "${assignment#*=}"
        done
        printf "_rabbitmq_become '%s/sbin/rabbitmqctl' --quiet \"\$@\"\n" "$home"
    } >"$dir/rabbitmqctl"
    chmod 700 "$dir/rabbitmqctl"
}

# A broker answers a wrong protocol header with its own, then closes.
_rabbitmq_answers() {
    local port=$1 answer=
    {
        exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'PING????' >&3 && read -r -t 2 -N 4 answer <&3
        exec 3<&- 3>&-
    } 2>/dev/null
    [[ "$answer" == AMQP ]]
}

rabbitmq_stop() {
    local dir=$1
    if [[ -s "$dir/node.pid" ]]; then _rabbitmq_end "$(cat "$dir/node.pid")" 20; fi
    if [[ -s "$dir/epmd.pid" ]]; then _rabbitmq_end "$(cat "$dir/epmd.pid")" 5; fi
    rm -f "$dir/node.pid" "$dir/epmd.pid"
}

rabbitmq_ctl() {
    local dir=$1
    shift
    "$dir/rabbitmqctl" "$@"
}
