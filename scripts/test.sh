#!/usr/bin/env bash
# Builds the programs and runs every test: unit tests, the simulation, end-to-end tests on the real programs, doc tests.
#
#   scripts/test.sh               all of them
#   scripts/test.sh kill9 cli     those whose name contains one of the words (no doc tests then)
#   OPENCLAW_TEST_FULL=1          the long form of the tests that have one
#
# Needs cargo and a C compiler; installs the rest under target/ as far as it can be had, and lists at the end what was
# skipped for want of something.
set -u
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root" || exit 1

case "${1:-}" in
    -h | --help)
        sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
esac

need_toolchain
ensure_tools
out="$root/target/test-output"
rm -rf "$out"
mkdir -p "$out"
# Tests append a line for each thing they cannot do here.
export OPENCLAW_TEST_SKIPS="$out/skips"
: >"$OPENCLAW_TEST_SKIPS"
export CARGO_TERM_COLOR=never

skip() { printf '%s\n' "$*" >>"$OPENCLAW_TEST_SKIPS"; }
command -v grpcurl >/dev/null 2>&1 || skip "tests through stock grpcurl: it could not be installed"

say "== build the programs and the tests"
start="$SECONDS"
# One build of everything, so that programs and tests share their dependencies.
cargo build --locked --workspace --bins --tests || fail "the build failed"
say "   built in $(elapsed "$start")"

failed=0
start="$SECONDS"
if cargo nextest --version >/dev/null 2>&1; then
    say "== tests (nextest)"
    cargo nextest run --locked --workspace --no-fail-fast -- "$@" 2>&1 | tee "$out/tests"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
else
    skip "one process per test: cargo-nextest is missing (cargo install cargo-nextest), cargo test ran them"
    say "== tests (cargo test)"
    if [ $# -eq 0 ]; then filters=(""); else filters=("$@"); fi
    : >"$out/tests"
    for filter in "${filters[@]}"; do
        cargo test --locked --workspace --bins --lib --tests --no-fail-fast -- ${filter:+"$filter"} 2>&1 | tee -a "$out/tests"
        [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
    done
fi
say "   ran for $(elapsed "$start")"

if [ $# -eq 0 ]; then
    say "== doc tests"
    cargo test --locked --workspace --doc --no-fail-fast 2>&1 | tee "$out/doc-tests"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
fi

# Sums the counts of the runners' own summary lines.
counts="$(cat "$out"/tests "$out"/doc-tests 2>/dev/null | awk '
    /^ *Summary \[/ {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/ || $i ~ /^timed/ || $i ~ /^exec/) failed += $(i - 1)
            if ($i ~ /^skipped/) skipped += $(i - 1)
        }
    }
    /^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/) failed += $(i - 1)
            if ($i ~ /^ignored/) skipped += $(i - 1)
        }
    }
    END { printf "%d passed, %d failed, %d skipped", passed, failed, skipped }')"
case "$counts" in
    "0 passed, 0 failed"*) failed=1; complain "no test ran" ;;
    *" 0 failed"*) ;;
    *) failed=1 ;;
esac

if [ -s "$OPENCLAW_TEST_SKIPS" ]; then
    say "== skipped here:"
    sort -u "$OPENCLAW_TEST_SKIPS" | sed 's/^/   SKIPPED /'
else
    say "== nothing was skipped for want of something"
fi
[ "$failed" -eq 0 ] || complain "FAILED; see the output above, kept in target/test-output/"
printf '%s\n' "$counts" | tee "$out/counts"
exit "$failed"
