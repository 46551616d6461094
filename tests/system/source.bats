# SPDX-License-Identifier: Apache-2.0
# The source itself: scripts, man pages and style.
load helper

@test "shellcheck finds nothing in the scripts" {
    cd "$ROOT"
    git grep -lI -e '^#!/usr/bin/env bash' -e '^# shellcheck shell=bash' -- env tests .ci | grep -v '\.bats$' |
        xargs shellcheck -x
}

@test "the man pages are clean mdoc, and every program has one" {
    cd "$ROOT"
    git ls-files '*.[358]' | xargs mandoc -T lint -W warning
    mandoc -T lint -W warning "$BUILD/statebus/trivet-tables.5"
    for program in controller/trivet-controller agent/trivet-agent pcapcheck/pcapcheck statebus/statebus env/trivet; do
        [ -f $program.8 ]
    done
}

@test "the C code has the one style" {
    cd "$ROOT"
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

@test "every program answers --help and --version" {
    for program in trivet-controller trivet-agent pcapcheck statebus; do
        "$(tool $program)" --help >/dev/null
        [[ $("$(tool $program)" --version) == "$program "* ]]
    done
}
