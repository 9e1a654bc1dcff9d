#!/usr/bin/env bash
# Stops the cluster that scripts/quick_start.sh started in this folder. Running tasks get up to worker.drain_timeout.
set -u
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

worker="$(running openclaw-worker)"
coordinator="$(running openclaw-coordinator)"
# Removed first: tells a quick_start.sh that waits that this end was asked for.
rm -f "$run_dir/openclaw-worker.pid" "$run_dir/openclaw-coordinator.pid"
if [ -z "$worker$coordinator" ]; then
    say "nothing to stop: no cluster of this folder is running"
    exit 0
fi
say "stopping${worker:+ worker (pid $worker)}${coordinator:+ coordinator (pid $coordinator)} ..."
end_cluster "$worker" "$coordinator"
say "stopped. Tasks and results are kept in data/."
