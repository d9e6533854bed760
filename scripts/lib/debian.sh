# shellcheck shell=bash
# Another release of Debian in a folder, for servers that are newer than this machine's. To be sourced after common.sh:
#
#   . scripts/lib/debian.sh
#   debian_root SUITE PACKAGE...    makes such a folder with these packages, once, and prints its path
#
# It is kept in ~/.cache/chaffinch (or $XDG_CACHE_HOME/chaffinch), some 400 MB for RabbitMQ. The packages come from where
# apt gets this machine's.

debian_root() {
    local suite=$1 cache root mirror log
    shift
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/chaffinch
    root=$cache/debian-$suite
    if [ -e "$root/complete" ]; then
        printf '%s\n' "$root"
        return 0
    fi
    [ "$(id -u)" -eq 0 ] || fail "only root can make a folder with another Debian"
    install_packages debootstrap >&2
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' | sed -n 's/^Debian Debian //p' | head -n 1)
    [ -n "$mirror" ] || fail "apt knows no Debian mirror; its sources are in /etc/apt"
    step "Unpacking Debian $suite" >&2
    log=$(mktemp)
    rm -rf "$root"
    mkdir -p "$cache"
    if ! debootstrap --variant=minbase --include="$(IFS=,; printf '%s' "$*")" "$suite" "$root" "$mirror" >"$log" 2>&1
    then
        tail -n 20 "$log" >&2
        rm -rf "$log" "$root"
        fail "debootstrap failed"
    fi
    rm -f "$log"
    touch "$root/complete"
    printf '%s\n' "$root"
}
