#!/bin/sh
# What a careful administrator writes instead of deploy-by-code: a post-receive hook that looks at
# the branch's tip and at a cursor, under a lock, reads all files in one go, and starts runners that
# are detached. Nothing is synced to the disk.
set -eu

hit=
while read -r _ _ ref; do [ "$ref" != refs/heads/main ] || hit=1; done
[ "$hit" ] || exit 0

state=$PWD/peer
exec 9>"$state/lock"
flock 9
read -r cursor <"$state/cursor"
tip=$(git rev-parse --verify --quiet refs/heads/main)
[ "$cursor" != "$tip" ] || exit 0

git diff-tree -r --no-renames --diff-filter=AM "$cursor" "$tip" |
awk '$6 ~ /^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*\.deploy$/ { print $4 " " $6 }' |
git cat-file --batch='%(objectname) %(objectsize) %(rest)' |
awk -v queue="$state/new.$$" -v environments="$state/environments.$$" '
    left <= 0 { left = $2 + 1; path = $3; revision = ""; next }
    {
        left -= length($0) + 1
        if (revision == "" && NF) {
            revision = $1
            if (revision !~ /^[0-9a-f]+$/ || length(revision) != 40) {
                print "problem: " path
                next
            }
            split(path, part, "/")
            sub(/\.deploy$/, "", part[2])
            print part[1], part[2], revision >queue
            if (!(part[1] in seen)) {
                seen[part[1]] = 1
                print part[1] >environments
            }
            print "queued " part[1] "/" part[2] " " revision
        }
    }'

if [ -e "$state/new.$$" ]; then mv "$state/new.$$" "$state/queue/$tip"; fi
echo "$tip" >"$state/cursor.new"
mv "$state/cursor.new" "$state/cursor"
exec 9>&-

if [ -e "$state/environments.$$" ]; then
    while read -r environment; do
        setsid nohup "$state/runner" "$state" "$environment" </dev/null >/dev/null 2>&1 &
    done <"$state/environments.$$"
    rm "$state/environments.$$"
fi
