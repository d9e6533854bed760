# shellcheck shell=bash
# What the scripts share: messages, the Debian packages, the build. To be sourced by bash.

# Build and tests treat warnings as errors, and share one debug build.
export CHAFFINCH_WARNINGS=error

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    _bold=$'\e[1m' _dim=$'\e[2m' _green=$'\e[32m' _red=$'\e[31m' _plain=$'\e[0m'
else
    _bold='' _dim='' _green='' _red='' _plain=''
fi

# A step, with the seconds since the script began.
step() {
    printf '%s==> %s%s %s(%ss)%s\n' "$_bold" "$*" "$_plain" "$_dim" "$SECONDS" "$_plain"
}

fail() {
    printf '%s%s%s\n' "$_red" "$*" "$_plain" >&2
    exit 1
}

# The libraries to build with, and the servers and tools to run with.
_build_packages=(
    librabbitmq-dev libpq-dev libcurl4-openssl-dev libyaml-dev libpcre2-dev libvectorscan-dev libsimdjson-dev
    libsqlite3-dev pkg-config
)
_run_packages=(rabbitmq-server postgresql sqlite3 curl ca-certificates procps)

# Installs what is missing of the Debian packages named. A start of the packages' own services is suppressed: the
# scripts run private ones.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    step "Installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "run as root, or install first: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    local policy=/usr/sbin/policy-rc.d made_policy=no log
    log=$(mktemp)
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
        made_policy=yes
    fi
    local ok=yes
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update >"$log" 2>&1 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || ok=no
    if [ "$made_policy" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi
    if [ "$ok" = no ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "the Debian packages could not be installed"
    fi
    rm -f "$log"
}

install_all_packages() {
    command -v swift >/dev/null || fail "Swift 6.2 or newer is needed on the PATH; see swift.org/install"
    install_packages "${_build_packages[@]}" "${_run_packages[@]}"
}

# Builds quietly; the whole output is shown when it fails.
build() {
    local log
    log=$(mktemp)
    if ! swift build "$@" >"$log" 2>&1; then
        grep -E 'error:|warning:' "$log" | sort -u | head -n 50 >&2 || true
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "the build failed"
    fi
    rm -f "$log"
}

# Sends a signal to a process and waits until it is gone, by force after so many seconds.
end_process() {
    local pid=$1 seconds=${2:-10} waited=0
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt $((seconds * 10)) ]; do
        case $(ps -o stat= -p "$pid" 2>/dev/null) in Z* | '') break ;; esac
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}
