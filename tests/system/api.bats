# SPDX-License-Identifier: Apache-2.0
# The state bus as others get it: installed, found by pkg-config, with an example that works, a page for
# every table, and builds that do not match told apart.
load helper

setup() {
    INSTANCE=bats-api
    export TRIVET_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
    OWNER='' SUBSCRIBER=''
}
teardown() {
    exec 9>&- || true
    [ -z "$SUBSCRIBER" ] || kill -KILL "$SUBSCRIBER" 2>/dev/null || true
    [ -z "$OWNER" ] || wait "$OWNER" || true
    rm -f /dev/shm/trivet.$INSTANCE.*
}

services() { # [PROGRAM]: `statebus services`, fed through file descriptor 9
    mkfifo "$BATS_TEST_TMPDIR/feed"
    "${1:-$(tool statebus)}" --instance $INSTANCE services <"$BATS_TEST_TMPDIR/feed" 2>>"$BATS_TEST_TMPDIR/log" 3>&- &
    OWNER=$!
    exec 9>"$BATS_TEST_TMPDIR/feed"
    eventually 5 [ -e "/dev/shm/trivet.$INSTANCE.supervisor" ]
}

@test "the examples of the docs compile against the installed library and run" {
    prefix=$BATS_TEST_TMPDIR/usr
    cmake --install "$BUILD" --prefix "$prefix" >/dev/null
    pc=$(find "$prefix" -name trivet-statebus.pc)
    for example in reader subscriber; do
        # shellcheck disable=SC2046 # words
        cc -Wall -Wextra -Werror "$(find "$prefix" -name $example.c)" -o "$BATS_TEST_TMPDIR/$example" \
            $(PKG_CONFIG_PATH=${pc%/*} pkg-config --cflags --libs trivet-statebus)
    done
    [ "$(wc -l <"$ROOT/docs/examples/reader.c")" -le 30 ]
    services
    printf 'controller 4242 starting 0\nagent.h1 17 running 2\n' >&9
    eventually 5 eval 'statebus dump service --json | grep -q agent.h1'
    run "$BATS_TEST_TMPDIR/reader" $INSTANCE
    [ "$status" = 0 ]
    [ "$(sort <<<"$output")" = $'agent.h1: pid 17, running\ncontroller: pid 4242, starting' ]
    "$BATS_TEST_TMPDIR/subscriber" $INSTANCE >"$BATS_TEST_TMPDIR/out" 3>&- 9>&- &
    SUBSCRIBER=$!
    said() { grep -qx "$1" "$BATS_TEST_TMPDIR/out"; }
    eventually 2 said 'agent.h1: new -> running'
    printf 'controller 4242 running 0\n- agent.h1\n' >&9
    for line in 'controller: new -> starting' 'controller: starting -> running' 'agent.h1: running -> gone'; do
        eventually 2 said "$line"
    done
    kill "$SUBSCRIBER" # signals are left to the program
    status=0
    wait "$SUBSCRIBER" || status=$?
    [ "$status" = $((128 + 15)) ]
    SUBSCRIBER=
    for example in reader subscriber; do
        run "$BATS_TEST_TMPDIR/$example" 'no/name'
        [ "$status" = 1 ]
        [[ $output == *"instance name 'no/name': 1 to 32 letters"* ]]
    done
    run "$BATS_TEST_TMPDIR/reader" nobody-here
    [ "$status" = 1 ]
    [[ $output == *"no segment /trivet.nobody-here.supervisor"* ]]
    for page in man3/trivet-statebus.3 man5/trivet-tables.5 man8/statebus.8; do [ -s "$prefix/share/man/$page" ]; done
}

# What a person would overlook when the header changes.
@test "the manual page has every function of the header, and the example as it is" {
    page=$ROOT/statebus/trivet-statebus.3
    missing=$(sed -e 's/^static inline .*//; /^#/d' "$ROOT/include/trivet/statebus.h" | grep -oE '\bsb_[a-z_0-9]+\(' | tr -d '(' | sort -u |
        while read -r name; do grep -qw "$name" "$page" || echo "$name"; done)
    echo "not in the page: $missing"
    [ -z "$missing" ]
    unknown=$(sed '/^\.Bd/,/^\.Ed/d' "$page" | grep -oE '\bsb_[a-z_0-9]+\b' | grep -v '_$' | sort -u | while read -r name; do grep -qw "$name" "$ROOT/include/trivet/statebus.h" || echo "$name"; done)
    echo "not in the header: $unknown"
    [ -z "$unknown" ]
    diff <(sed -n '/^#include <stdio/,$p' "$ROOT/docs/examples/reader.c") \
        <(sed -n '/^\.Bd -literal/,/^\.Ed/p' "$page" | sed '1d;$d; s/\\e/\\/g')
}

# other NAME SED-SCRIPT SOURCE: a program with the library, built as another version would be
other() {
    local dir=$BATS_TEST_TMPDIR/$1
    mkdir "$dir"
    cp -r "$ROOT/include" "$ROOT/statebus" "$dir"
    sed -i "$2" "$dir/include/trivet/statebus.h" "$dir/include/trivet/tables.def"
    sources=$(tr '\n' ' ' <"$ROOT/statebus/CMakeLists.txt" | sed 's/.*add_library(statebus STATIC \([^)]*\)).*/\1/')
    # shellcheck disable=SC2046,SC2086 # words
    (cd "$dir/statebus" && cc -D_GNU_SOURCE -I"$dir/include" -I"$dir/statebus" $(pkg-config --cflags libczmq) $sources \
        "$3" -o "$dir/program" -lczmq -lzmq -pthread)
}

@test "readers and owners of other builds refuse each other and name both versions" {
    cat >"$BATS_TEST_TMPDIR/owner.c" <<'C'
#include <trivet/statebus.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct sb_owner_table table = {.id = SB_T_service};
    struct sb_owner_config config = {.instance = argv[argc - 1], .name = "supervisor", .tables = &table, .n_tables = 1};
    struct sb_service row = {.name = "controller", .pid = 1};
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner;
    int error = sb_owner_open(&owner, &config, message);
    puts(message);
    if (error < 0)
        return 1;
    sb_put(sb_owner_table(owner, SB_T_service, 0), &row);
    sb_owner_close(&owner);
    return 0;
}
C
    local minor
    minor=$(sed -n 's/^#define SB_ABI_MINOR //p' "$ROOT/include/trivet/statebus.h")
    abi="s/^\(#define SB_ABI_MINOR\) $minor\$/\1 7$minor/"
    layout='s/^SB_COL(service, uint32_t, restarts, ,.*/&\nSB_COL(service, uint64_t, extra, , DEC, "", "extra", "")/'
    other reader-abi "$abi" "$ROOT/docs/examples/reader.c" &
    builds=($!)
    other reader-layout "$layout" "$ROOT/docs/examples/reader.c" &
    builds+=($!)
    other owner-abi "$abi" "$BATS_TEST_TMPDIR/owner.c" &
    builds+=($!)
    other owner-layout "$layout" "$BATS_TEST_TMPDIR/owner.c" &
    builds+=($!)
    for build in "${builds[@]}"; do wait "$build"; done
    # Our owner, their readers.
    services
    echo 'controller 1 running 0' >&9
    eventually 5 eval 'statebus dump service --json | grep -q controller'
    run "$BATS_TEST_TMPDIR/reader-abi/program" $INSTANCE
    [ "$status" = 1 ]
    [[ $output == *"segment /trivet.$INSTANCE.supervisor has ABI 1.$minor, this program has 1.7$minor: run both from one build"* ]]
    run "$BATS_TEST_TMPDIR/reader-layout/program" $INSTANCE
    [ "$status" = 1 ]
    [[ $output =~ "table service "[0-9a-f]{16}.*"that table with "[0-9a-f]{16}": run both from one build" ]]
    exec 9>&-
    wait "$OWNER"
    OWNER=
    # Their owners, who replace what they cannot read, and our reader.
    run "$BATS_TEST_TMPDIR/owner-abi/program" $INSTANCE
    [ "$status" = 0 ]
    [[ $output == "started cold: segment /trivet.$INSTANCE.supervisor has ABI 1.$minor, this program has 1.7$minor"* ]]
    run statebus dump service
    [ "$status" = 1 ]
    [[ $output == *"has ABI 1.7$minor, this program has 1.$minor: run both from one build"* ]]
    run "$BATS_TEST_TMPDIR/owner-layout/program" $INSTANCE
    [ "$status" = 0 ]
    run statebus dump service
    [ "$status" = 1 ]
    [[ $output == *"run both from one build"* ]]
}
