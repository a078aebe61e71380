#!/bin/bash
# Tests the package in a fresh machine without an init. The package is installed, used, upgraded
# during a deployment, removed, installed again, and purged.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export DEBIAN_FRONTEND=noninteractive

say 'install'
dpkg --install /deb/old.deb
expect 'deploy-by-code 0.' deploy-by-code --version
[ "$(stat -c %a /var/lib/deploy-by-code/repositories)" = 1777 ] || fail 'the folder of registered repositories has the wrong mode'
[ "$(head -n 1 /usr/share/deploy-by-code/hooks/post-receive)" = '#!/usr/bin/deploy-by-code as-hook' ] || fail 'the hook does not name the program'
for page in man1/deploy-by-code.1 man1/deploy-by-code-freeze.1 man5/deploy-by-code.toml.5 man5/deploy-files.5; do
    # Minimal machines leave documentation out, so look for it in the package's list of files.
    expect "/usr/share/man/$page.gz" dpkg --listfiles deploy-by-code
done
deploy-by-code --config /etc/deploy-by-code/config.toml --help >/dev/null

say 'the demo, with the installed program'
bash /test/demo.sh --binary /usr/bin/deploy-by-code /var/tmp/demo >/var/tmp/demo.out || { cat /var/tmp/demo.out; fail 'the demo failed'; }
tail -n 3 /var/tmp/demo.out

say 'root installs the hooks for the repository of a user'
useradd --create-home git
job
repository /srv/deploys.git git
[ "$(stat -c %U /srv/deploys.git/deploy-by-code/state.db)" = git ] || fail 'the state does not belong to the owner'
cd /home/git
su git -c 'git clone -q /srv/deploys.git work 2>/dev/null'
chown -R root work
git config --global --add safe.directory '*'
push() { su git -c "git config --global --replace-all safe.directory '*'; git -C work push -q origin HEAD:refs/heads/main" 2>&1; }
deploy work 1
expect '#1 production/app new -> 0000001 queued' push
deploy-by-code -C /srv/deploys.git wait 1
expect 'start 1 git' cat /var/tmp/ran

say 'an upgrade in the middle of a deployment'
touch /var/tmp/hold
deploy work 2
push >/dev/null
until_true 20 grep -q 'start 2' /var/tmp/ran
dpkg --install /deb/new.deb
expect "$(dpkg-query -f '${Version}' -W deploy-by-code)" dpkg-deb -f /deb/new.deb Version
deploy work 3
push >/dev/null
rm /var/tmp/hold
deploy-by-code -C /srv/deploys.git wait 2
deploy-by-code -C /srv/deploys.git wait 3
expect '#2 production/app succeeded' deploy-by-code -C /srv/deploys.git wait 2

say 'remove'
expect '/srv/deploys.git' dpkg --remove deploy-by-code
[ -f /srv/deploys.git/deploy-by-code/state.db ] || fail 'the state was removed with the package'
[ -f /etc/deploy-by-code/config.toml ] || fail 'the configuration was removed with the package'
deploy work 4
if push >/dev/null; then
    fail 'a push was accepted although the program that judges it is gone'
fi

say 'install again: what was pushed while no hook ran is deployed'
mv /srv/deploys.git/hooks /srv/deploys.git/hooks.away
push >/dev/null
mv /srv/deploys.git/hooks.away /srv/deploys.git/hooks
dpkg --install /deb/new.deb
deploy-by-code reconcile --registered
deploy-by-code -C /srv/deploys.git wait 4

say 'purge'
expect 'the state of /srv/deploys.git stays' dpkg --purge deploy-by-code
[ -f /srv/deploys.git/deploy-by-code/state.db ] || fail 'the state was purged'
if [ -e /etc/deploy-by-code ] || [ -e /var/lib/deploy-by-code ]; then
    fail 'purge left something of the package'
fi

say 'all of it worked'
