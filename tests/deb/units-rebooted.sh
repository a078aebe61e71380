#!/bin/bash
# Tests the machine of units.sh after its second boot.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root
at() { deploy-by-code -C /srv/deploys.git "$@"; }
rm -f /var/tmp/hold

say 'at boot the timer finds the interrupted deployment, and the push that no hook planned'
interrupted() { [[ $(at show 6) == *'interrupted: the machine restarted'* ]]; }
until_true 90 interrupted
until_true 20 at show 7
at wait 7

say 'uninstall removes the units, also when install could not make them any more'
printf 'state_dir = %s\n' "'/srv/a\\b'" | cat - /srv/deploys.git/deploy-by-code.toml >/root/toml
cp /root/toml /srv/deploys.git/deploy-by-code.toml
expect 'control character or backslash' deploy-by-code install /srv/deploys.git
deploy-by-code uninstall /srv/deploys.git
! systemctl is-enabled --quiet deploy-by-code-runner@srv-deploys.git.path || fail 'the path unit is still enabled'
[ ! -e '/etc/systemd/system/deploy-by-code-runner@srv-deploys.git.path.d' ] || fail 'the drop-in is still there'

say 'all of it worked'
