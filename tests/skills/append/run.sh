#!/bin/sh
# run.sh FILE SECONDS EXIT FAIL_BEFORE: one line for this run; exit code EXIT from attempt FAIL_BEFORE on, 1 before.
printf '%s %s %s\n' "$OPENCLAW_CLUSTER_TASK_ID" "$OPENCLAW_CLUSTER_ATTEMPT" "$OPENCLAW_CLUSTER_NODE_ID" >>"$1"
[ "$2" = 0 ] || sleep "$2"
if [ "$OPENCLAW_CLUSTER_ATTEMPT" -lt "$4" ]; then exit 1; fi
printf '{"attempt": %s, "node": "%s"}' "$OPENCLAW_CLUSTER_ATTEMPT" "$OPENCLAW_CLUSTER_NODE_ID" >"$OPENCLAW_CLUSTER_RESULT"
exit "$3"
