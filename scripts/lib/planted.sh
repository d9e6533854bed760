# shellcheck shell=bash
# Bugs put into a copy of the tree on purpose, to see that the chaos finds them. To be sourced after common.sh.
#
# Each patch in Tests/Chaos/planted names its case in a line `Case: NAME` and is undone by removing the copy.

# Succeeds when every planted bug makes its case fail with something lost.
find_planted_bugs() {
    local copy root patch found=0 missed=0
    root=$PWD
    copy=$(mktemp -d -t chaffinch-planted.XXXXXX)
    # shellcheck disable=SC2064
    trap "rm -rf '$copy'" EXIT
    install_all_packages
    step "Building"
    build --product chaos
    build --product discord-simulator
    step "Copying the tree and its build"
    cp -a Package.swift Package.resolved Sources Tests Benchmarks scripts parsers "$copy/"
    mkdir "$copy/.build"
    find .build -mindepth 1 -maxdepth 1 ! -name release ! -name x86_64-unknown-linux-gnu ! -name aarch64-unknown-linux-gnu \
        -exec cp -a {} "$copy/.build/" \;
    for folder in .build/*-unknown-linux-gnu; do
        mkdir "$copy/$folder" && cp -a "$folder/debug" "$copy/$folder/"
    done
    for patch in "$root"/Tests/Chaos/planted/*.patch; do
        if _finds_planted_bug "$root" "$copy" "$patch"; then found=$((found + 1)); else missed=$((missed + 1)); fi
    done
    step "$found planted bugs found, $missed missed"
    [ "$missed" -eq 0 ]
}

_finds_planted_bug() {
    local root=$1 copy=$2 patch=$3 name case output status=0
    name=$(basename "$patch" .patch)
    case=$(sed -n 's/^Case: //p' "$patch")
    step "Planting: $name"
    git -C "$copy" apply --recount -C1 "$patch" || fail "$patch does not fit any more; make it anew"
    output=$(mktemp)
    # In the place of the tree itself, where that can be done: then the build is up to date but for the patch.
    _in_place_of "$root" "$copy" bash -ec '
        . scripts/lib/common.sh
        build --product chaffinch
        CHAFFINCH_TEST_BINARIES=$(swift build --show-bin-path)
        export CHAFFINCH_TEST_BINARIES
        exec scripts/chaos --built --quick --messages 6000 --patience 40 --cases "$0"
    ' "$case" >"$output" 2>&1 || status=$?
    git -C "$copy" apply --recount -C1 --reverse "$patch"
    grep -E "^(RESULT|holds|FAILS)" "$output" | awk '!seen[$0]++' || tail -n 20 "$output"
    # Lost is the second number after the name, which may hold digits itself.
    if [ "$status" -eq 1 ] && grep -E "^FAILS +$case +[0-9]+ +[1-9][0-9]* " "$output" >/dev/null; then
        echo "found: $name"
        rm -f "$output"
        return 0
    fi
    echo "NOT found: $name"
    rm -f "$output"
    return 1
}

_in_place_of() {
    local root=$1 copy=$2
    shift 2
    if unshare --mount --propagation private true 2>/dev/null; then
        # shellcheck disable=SC2016
        unshare --mount --propagation private bash -c 'mount --bind "$1" "$0" && cd "$0" && shift && exec "$@"' \
            "$root" "$copy" "$@"
    else
        (cd "$copy" && "$@")
    fi
}
