#!/usr/bin/env bash
# Builds the programs, starts a coordinator and a worker here, runs a first task, and keeps the cluster running.
#
#   scripts/quick_start.sh          until Ctrl-C (or scripts/stop.sh in another terminal)
#   scripts/quick_start.sh --once   ends after the first task
#
# OPENCLAW_BIN_DIR names a folder with programs that are built already; nothing is built then.
set -u
# Own process groups: Ctrl-C reaches this script alone, which ends the worker before the coordinator.
set -m
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

once=no
for argument in "$@"; do
    case "$argument" in
        --once) once=yes ;;
        -h | --help)
            sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *) fail "unknown argument: $argument" "scripts/quick_start.sh [--once]" ;;
    esac
done

cd "$root" || exit 1
config=config/config.yaml
coordinator=''
worker=''

# ours NAME PID: whether the file still names that process. scripts/stop.sh removes it, a later start writes its own.
ours() { [ "$(cat "$run_dir/$1.pid" 2>/dev/null)" = "$2" ]; }

forget() { if ours "$1" "$2"; then rm -f "$run_dir/$1.pid"; fi; }

finish() {
    trap '' INT TERM HUP PIPE
    if [ -n "$worker$coordinator" ]; then
        say "stopping ..."
        end_cluster "$worker" "$coordinator"
        forget openclaw-worker "$worker"
        forget openclaw-coordinator "$coordinator"
        say "stopped. Tasks and results are kept in data/."
    fi
    exit "$1"
}

build() {
    if [ -n "${OPENCLAW_BIN_DIR:-}" ]; then
        bin="$OPENCLAW_BIN_DIR"
        [ -x "$bin/openclaw-coordinator" ] || fail "OPENCLAW_BIN_DIR names no folder with the programs: $bin"
        return
    fi
    need_toolchain
    say "building (release); the first time takes minutes ..."
    local start="$SECONDS"
    cargo build --release --locked -p openclaw-coordinator -p openclaw-worker -p openclaw-cluster ||
        fail "the build failed" "the messages above say why; rustc 1.95 or newer is needed (yours: $(rustc --version 2>/dev/null))"
    bin="${CARGO_TARGET_DIR:-target}/release"
    say "built in $(elapsed "$start")"
}

refuse_second_start() {
    local name pid
    for name in openclaw-coordinator openclaw-worker; do
        pid="$(running "$name")"
        [ -z "$pid" ] || fail "a cluster of this folder is already running ($name, pid $pid)" \
            "look at it: $cli status" "stop it: scripts/stop.sh"
    done
}

# start NAME ARGUMENTS: starts one program, remembers its id in a file.
start() {
    local name="$1"
    shift
    mkdir -p logs "$run_dir"
    "$bin/$name" --config "$config" "$@" >"logs/$name.console" 2>&1 </dev/null &
    started=$!
    printf '%s\n' "$started" >"$run_dir/$name.pid"
}

# What a program said when it would not start, or ended.
refused() {
    complain "error: $1 ended:"
    tail -n 12 "logs/$1.console" | sed 's/^/  /' >&2
    complain "  all of it: logs/$1.console"
    finish 1
}

# wait_for SECONDS PROGRAM PID COMMAND...: until the command succeeds.
wait_for() {
    local limit="$1" name="$2" pid="$3" start="$SECONDS"
    shift 3
    until "$@" >/dev/null 2>&1; do
        alive "$pid" || refused "$name"
        if [ $((SECONDS - start)) -ge "$limit" ]; then
            complain "error: $name is not ready after ${limit}s; its last words:"
            tail -n 5 "logs/$name.console" | sed 's/^/  /' >&2
            finish 1
        fi
        sleep 0.1
    done
}

# The coordinator says on its console where it serves, once it does. Asking the port could find another one.
# shellcheck disable=SC2317 # wait_for calls them
serves() { grep -q '^cluster ".*http://' logs/openclaw-coordinator.console; }
# shellcheck disable=SC2317
connected() {
    grep -Eq '("|: |  )connected("| )' logs/openclaw-worker.console &&
        "$cli" -c "$config" node list --status online --quiet | grep -q .
}

first_task() {
    say ""
    say "\$ $cli run text-stats --input README.md"
    "$cli" -c "$config" run text-stats --input README.md --output-dir outputs/quick-start --wait 60s --fail-if-unplaceable
    local code=$?
    if [ "$code" -eq 3 ]; then
        complain "text-stats cannot run here; '$cli skill info text-stats' says why. Most likely Python 3 is missing:"
        complain "install python3, then run scripts/quick_start.sh again."
    fi
    return "$code"
}

build
if [ "$(command -v openclaw-cluster || true)" -ef "$bin/openclaw-cluster" ]; then cli=openclaw-cluster; else cli="$bin/openclaw-cluster"; fi
refuse_second_start
trap 'finish 0' INT TERM HUP
trap 'finish 141' PIPE

start openclaw-coordinator
coordinator=$started
wait_for 60 openclaw-coordinator "$coordinator" serves
# The coordinator of this folder first, wherever else this machine has joined.
start openclaw-worker --coordinator-host 127.0.0.1
worker=$started
wait_for 60 openclaw-worker "$worker" connected

say ""
grep '^cluster ".*http://' logs/openclaw-coordinator.console
"$cli" -c "$config" skill list
first_task
code=$?
# Ctrl-C while it ran.
[ "$code" -ne 130 ] || finish 130
say ""
"$cli" -c "$config" node list
say ""
say "logs   logs/coordinator.log  logs/worker.log"
say "data   data/"

if [ "$once" = yes ]; then finish "$code"; fi

say ""
say "Next, in another terminal in this folder:"
say "  $cli skill list"
say "  $cli run --help"
say "  $cli task info last"
say "  $cli token show                 how another machine joins"
say "Ctrl-C stops the cluster (so does scripts/stop.sh)."

while alive "$coordinator" && alive "$worker"; do
    sleep 1 &
    wait $! 2>/dev/null
done

# Gone together with its file: scripts/stop.sh did it, even when another start has written new ones since.
if ! ours openclaw-coordinator "$coordinator" || ! ours openclaw-worker "$worker"; then
    say "stopped from another terminal."
    end_cluster "$worker" "$coordinator"
    exit 0
fi
alive "$worker" || refused openclaw-worker
refused openclaw-coordinator
