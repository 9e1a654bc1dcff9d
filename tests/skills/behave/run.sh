#!/bin/sh
# run.sh HOW
case "$1" in
    # 1 GiB of output, in lines.
    flood) yes 'all work and no play' | head -c 1073741824 ;;
    # Children and grandchildren that would outlive it.
    fork)
        for _ in 1 2 3; do (sleep 1000 & sleep 1000) & done
        echo forked
        ;;
    # Deaf to every polite request.
    stubborn)
        trap '' TERM INT HUP
        echo deaf
        while :; do sleep 1; done
        ;;
    # A process with a session of its own, its output closed.
    daemon)
        setsid sh -c 'sleep 1000' >/dev/null 2>&1 </dev/null &
        echo left a daemon
        ;;
    # A line that never ends.
    half) printf '{"half": tr' ;;
    # A result that is no JSON.
    garbage) printf 'not json at all' >"$OPENCLAW_CLUSTER_RESULT" ;;
    # A result that is an object, with a file beside it.
    well)
        cat "$OPENCLAW_CLUSTER_INPUT_DIR"/* 2>/dev/null >"$OPENCLAW_CLUSTER_OUTPUT_DIR/copy.txt"
        printf '{"well": true}' >"$OPENCLAW_CLUSTER_RESULT"
        ;;
    *)
        echo "no such behaviour: $1" >&2
        exit 64
        ;;
esac
