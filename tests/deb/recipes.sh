#!/bin/bash
# Tests the pages in docs/recipes, each from a server as docs/hosts/ssh.md makes it to the last deploy
# of the page. The commands are taken from the pages and run in a machine that was booted with
# systemd, with nginx, Node.js, PHP and a second git host.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root DEBIAN_FRONTEND=noninteractive

repository=/srv/git/deploys.git
at() { deploy-by-code -C "$repository" "$@"; }
show_newest() { at show "$(at log --json -n 1 | sed -n 's/^    "id": \([0-9]*\),$/\1/p')"; }

dump() {
    status=$?
    [ "$status" -eq 0 ] || { at log; show_newest; journalctl --no-pager -n 40; } || true
}
trap dump EXIT

# All of Debian's packages are already installed in the machine, so apt-get only checks that they are.
apt-get() {
    local package
    for package in "${@:2}"; do
        case $package in
        ./*) dpkg --install "$package" ;;
        *) dpkg --status "$package" ;;
        esac >/dev/null
    done
}
export -f apt-get

# newest TEXT: checks how the newest deployment ended.
newest() {
    until_true 60 ended
    expect "$1" show_newest
}
ended() {
    local newest
    newest=$(at log -n 1 --json) || return
    [[ $newest == *'"status": "'* && ! $newest =~ '"status": "'(queued|running)'"' ]]
}

# recipe NAME: makes a folder for the test of one page, with a clone of the deploy repository in it.
# The first block of a page is for the server.
recipe() {
    say "docs/recipes/$1.md"
    mkdir "/root/$1"
    cd "/root/$1"
    git clone -q git@server:/srv/git/deploys.git 2>/dev/null
    git -C deploys switch -q main 2>/dev/null || git -C deploys switch -q -c main
}

say 'docs/hosts/ssh.md: the server'
mkdir -p /root/.ssh /root/start
cd /root/start
cp /deb/old.deb deploy-by-code_0.deb
echo '127.0.0.1 server forge' >>/etc/hosts
printf 'StrictHostKeyChecking accept-new\n' >/root/.ssh/config
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
as_written hosts/ssh 1
block hosts/ssh 2 | sed "s|ssh-ed25519 AAAA… alice|$(cat /root/.ssh/id_ed25519.pub)|" >/home/git/.ssh/authorized_keys
chown -R git: /home/git/.ssh
as_written hosts/ssh 3
until_true 20 git ls-remote git@server:/srv/git/deploys.git

recipe static-site
rm -r /srv/git/website.git
as_written recipes/static-site 1
as_written recipes/static-site 2
site() { curl -sS -H 'Host: website' http://127.0.0.1/; }
newest succeeded
expect Hello site
cd deploys
as_written recipes/static-site 3
newest 'failed: verify: exit status 22; tried 3 times; went back to'
expect Hello site

recipe node
as_written recipes/node 1
as_written recipes/node 2
cd deploys
as_written recipes/node 3
newest succeeded
health() { curl -sS http://127.0.0.1:8000/health; }
first=$(git -C ../shop rev-parse HEAD)
expect "ok $first" health
expect 'Hello from the shop' curl -sS http://127.0.0.1:8000/
newest 'verify    '
as_written recipes/node 4
newest 'failed: verify: exit status 7; tried '
newest 'went back to'
until_true 20 health
expect "ok $first" health

recipe php
as_written recipes/php 1
as_written recipes/php 2
as_written recipes/php 3
cd deploys
as_written recipes/php 4
newest succeeded
blog() { curl -sS -H 'Host: blog' http://127.0.0.1/; }
expect 'Our blog: 1 visits' blog
as_written recipes/php 5
newest succeeded
expect 'Our blog: 2 visitors' blog

recipe monorepo
as_written recipes/monorepo 1
as_written recipes/monorepo 2
cd deploys
as_written recipes/monorepo 3
newest succeeded
expect web cat /srv/apps/production/web/current/name
expect api cat /srv/apps/production/api/current/name
as_written recipes/monorepo 4
expect 'gained: 6 commits, 3 of them in services/web' as_written recipes/monorepo 5
as_written recipes/monorepo 6
newest succeeded
expect 'web 3' cat /srv/apps/production/web/current/name
[ "$(cat /srv/apps/production/api/current/name)" = api ] || fail 'the api was deployed too'

recipe other-host
useradd --create-home --shell /bin/bash forge
git init -q --bare -b main /srv/forge/docs.git
git clone -q /srv/forge/docs.git 2>/dev/null
echo Documentation >docs/index.html
git -C docs switch -q -c main
git -C docs add .
git -C docs commit -q -m 'The documentation'
git -C docs push -q origin main
chown -R forge: /srv/forge
as_written recipes/other-host 1
install -d -o forge -g forge -m 700 /home/forge/.ssh
cp /home/git/.ssh/id_ed25519.pub /home/forge/.ssh/authorized_keys
chown forge: /home/forge/.ssh/authorized_keys
cd deploys
as_written recipes/other-host 2 >/root/pushed 2>&1
newest succeeded
expect 'fetching docs' cat /root/pushed
expect Documentation cat /srv/apps/production/docs/current/index.html

say 'every recipe works as it is written'
