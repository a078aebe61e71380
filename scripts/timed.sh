#!/bin/sh
# Runs a command, then says how long it took and whether it failed.
#
#   scripts/timed.sh NAME COMMAND [ARGUMENT…]     NAME says in words what the command does
set -u

name=$1
shift
begin=$(date +%s)
"$@"
status=$?
took=$(($(date +%s) - begin))
if [ "$status" -eq 0 ]; then
    printf '[%s: %d s]\n' "$name" "$took"
else
    printf '[%s: failed after %d s]\n' "$name" "$took" >&2
fi
exit "$status"
