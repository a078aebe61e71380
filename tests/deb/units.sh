#!/bin/bash
# Tests the units in a machine that was booted with systemd. Its logind kills all processes of a
# session when the session ends (KillUserProcesses=yes).
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export DEBIAN_FRONTEND=noninteractive HOME=/root

dump() {
    status=$?
    [ "$status" -eq 0 ] || { deploy-by-code -C /srv/deploys.git log; cat /var/tmp/ran; journalctl --no-pager -n 60; } || true
}
trap dump EXIT

say 'install: nothing is enabled or started'
dpkg --install /deb/old.deb
[ "$(systemctl is-enabled deploy-by-code-reconcile.timer)" = disabled ] || fail 'the timer was enabled by the package'
! systemctl is-active --quiet deploy-by-code-reconcile.timer || fail 'the timer was started by the package'

say 'a server with ssh'
useradd --create-home --shell /bin/bash git
mkdir -p /root/.ssh /home/git/.ssh /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /home/git/.ssh/authorized_keys
chown -R git: /home/git/.ssh
systemctl start ssh
printf 'StrictHostKeyChecking accept-new\n' >/root/.ssh/config
until_true 20 ssh git@127.0.0.1 true
expect session ssh git@127.0.0.1 cat /proc/self/cgroup
job
repository /srv/deploys.git git
git clone -q git@127.0.0.1:/srv/deploys.git /root/work 2>/dev/null
cd /root
push() { git -C work push origin HEAD:refs/heads/main 2>&1; }
at() { deploy-by-code -C /srv/deploys.git "$@"; }
ended() { [[ $(at show --json "$1") != *'"queued"'* && $(at show --json "$1") != *'"running"'* ]]; }
no_runner() { ! pgrep -u git -f 'run production' >/dev/null; }
one_notifier() { [ "$(pgrep -u git -c -f deploy-by-code-notify)" -eq 1 ]; }
idle() { ! systemctl is-active --quiet deploy-by-code-runner@srv-deploys.git.service; }

say 'control: with the default runner, logind kills the deployment with the session'
touch /var/tmp/hold
deploy work 1
# -o follow keeps the session open until the client goes away.
git -C work push -o follow origin HEAD:refs/heads/main >/dev/null 2>&1 &
until_true 20 grep -q 'start 1 git' /var/tmp/ran
expect 'session-' cat /var/tmp/ran
kill $!; pkill -x ssh || true
until_true 30 no_runner
rm /var/tmp/hold
at reconcile >/dev/null
until_true 30 ended 1
expect interrupted at log

say 'runner = "systemd": the deployment outlives the session, as its owner, in a control group of its own'
sed -i '1i runner = "systemd"' /srv/deploys.git/deploy-by-code.toml
deploy-by-code install /srv/deploys.git
: >/var/tmp/ran
touch /var/tmp/hold
deploy work 2
expect '#2 production/app' push
until_true 20 grep -q 'start 2 git' /var/tmp/ran
expect 'deploy-by-code-runner@' cat /var/tmp/ran
sleep 2
! grep -q 'end 2' /var/tmp/ran || fail 'the deployment did not wait'
rm /var/tmp/hold
at wait 2
grep -Eq '/deploy-by-code\.[0-9]+\.[0-9]+\.2' /var/tmp/ran || fail 'the deployment has no control group of its own'
systemctl is-active --quiet deploy-by-code-runner@srv-deploys.git.path || fail 'the path unit is not active'
until_true 20 idle

say 'an upgrade and a stop of the service kill no running deployment and nobody who waits to tell somebody'
printf '[notify.broken]\nkind = "command"\ncommand = ["/bin/false"]\n' >>/srv/deploys.git/deploy-by-code.toml
# freeze and thaw are events that it is told of.
at freeze production --reason 'to tell somebody'
at thaw production
until_true 20 idle
# The one that came first tells, and the others end.
until_true 20 one_notifier
notifier=$(pgrep -u git -o -f deploy-by-code-notify)
expect 'deploy-by-code-runner@' cat "/proc/$notifier/cgroup"
touch /var/tmp/hold
deploy work 3
push >/dev/null
until_true 20 grep -q 'start 3' /var/tmp/ran
dpkg --install /deb/new.deb >/dev/null
systemctl stop deploy-by-code-runner@srv-deploys.git.service
rm /var/tmp/hold
at wait 3
kill "$notifier" || fail 'nobody waits any more'
sed -i '/notify.broken/,$d' /srv/deploys.git/deploy-by-code.toml

say 'removed and installed again: the path unit watches as before'
dpkg --remove deploy-by-code >/dev/null 2>&1
! systemctl is-active --quiet deploy-by-code-runner@srv-deploys.git.path || fail 'the path unit outlived the package'
dpkg --install /deb/new.deb >/dev/null
systemctl is-active --quiet deploy-by-code-runner@srv-deploys.git.path || fail 'the path unit is not active again'
deploy work 4
push >/dev/null
until_true 20 at show 4
at wait 4
grep -q 'start 4 git.*deploy-by-code-runner@' /var/tmp/ran || fail 'the path unit did not start the runner'

say 'the timer plans what the hooks missed'
mv /srv/deploys.git/hooks /srv/deploys.git/hooks.away
deploy work 5
push >/dev/null
mv /srv/deploys.git/hooks.away /srv/deploys.git/hooks
systemctl enable --now deploy-by-code-reconcile.timer 2>/dev/null
# The timer starts 30 s after the boot.
until_true 60 grep -q 'start 5 git' /var/tmp/ran
at wait 5

say 'with the default runner, the timer starts deployments in a unit of the owner, in own control groups'
repository /srv/other.git git >/dev/null
git init -q -b main other
deploy other 1
mv /srv/other.git/hooks /srv/other.git/hooks.away
git -C other push -q git@127.0.0.1:/srv/other.git HEAD:refs/heads/main
mv /srv/other.git/hooks.away /srv/other.git/hooks
: >/var/tmp/ran
systemctl start deploy-by-code-reconcile.service
deploy-by-code -C /srv/other.git wait 1
grep -q '^start 1 git' /var/tmp/ran || fail 'the deployment did not run as the owner'
grep -Eq '/deploy-by-code-reconcile-[0-9]+-[0-9]+\.service/deploy-by-code\.[0-9]+\.[0-9]+\.1\.1\.command$' /var/tmp/ran || fail "the deployment was in $(cat /var/tmp/ran)"

say 'the timer works while what it started still runs'
touch /var/tmp/hold
deploy other 2
mv /srv/other.git/hooks /srv/other.git/hooks.away
git -C other push -q git@127.0.0.1:/srv/other.git HEAD:refs/heads/main
mv /srv/other.git/hooks.away /srv/other.git/hooks
systemctl start deploy-by-code-reconcile.service
until_true 20 grep -q '^start 2 git' /var/tmp/ran
systemctl start deploy-by-code-reconcile.service || fail 'the timer waits for a deployment'
rm /var/tmp/hold
deploy-by-code -C /srv/other.git wait 2
deploy-by-code uninstall /srv/other.git >/dev/null

say 'the machine goes down during a deployment, and after a push that no hook saw'
touch /var/tmp/hold
deploy work 6
push >/dev/null
until_true 20 grep -q 'start 6 git' /var/tmp/ran
mv /srv/deploys.git/hooks /srv/deploys.git/hooks.away
deploy work 7
push >/dev/null
mv /srv/deploys.git/hooks.away /srv/deploys.git/hooks

say 'all of it worked'
