#!/bin/sh
# The runner of hook.sh and hook.py: deploys what is queued for one environment, in order.
#
#   runner STATE ENVIRONMENT
exec 8>"$1/$2.lock"
flock -n 8 || exit 0
for rollout in "$1"/queue/*; do
    [ -e "$rollout" ] || continue
    while read -r environment application revision; do
        [ "$environment" != "$2" ] || /bin/true "$environment" "$application" "$revision"
    done <"$rollout"
    mv "$rollout" "$1/done/"
done
