#!/bin/bash
# Tests docs/hosts/kallithea.md with a real Kallithea, in a machine that was booted with systemd.
# Kallithea is in /opt/kallithea, and is installed already.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root

dump() {
    status=$?
    [ "$status" -eq 0 ] || journalctl --no-pager -n 60 -u kallithea
}
trap dump EXIT

repository=/srv/kallithea/repos/deploys
at() { deploy-by-code -C "$repository" "$@"; }

say 'Kallithea, as its documentation says'
echo '127.0.0.1 server' >>/etc/hosts
useradd --system --create-home --home-dir /srv/kallithea kallithea
install -d -o kallithea /srv/kallithea/repos
as_kallithea() { setpriv --reuid=kallithea --regid=kallithea --clear-groups env HOME=/srv/kallithea "$@"; }
cd /srv/kallithea
as_kallithea /opt/kallithea/bin/kallithea-cli config-create my.ini host=127.0.0.1 port=5000 >/dev/null
as_kallithea /opt/kallithea/bin/kallithea-cli db-create -c my.ini --user=admin --password=secret12 \
    --email=admin@example.org --repos=/srv/kallithea/repos --force-yes >/dev/null 2>&1
systemd-run --quiet --unit=kallithea --uid=kallithea --setenv=HOME=/srv/kallithea \
    --working-directory=/srv/kallithea /opt/kallithea/bin/gearbox serve -c my.ini
until_true 60 curl --silent --fail http://server:5000/_admin/login
key=$(/opt/kallithea/bin/python -c 'import sqlite3
users = sqlite3.connect("/srv/kallithea/kallithea.db")
print(users.execute("select api_key from users where username = ?", ("admin",)).fetchone()[0])')

# api METHOD ARGUMENTS: asks Kallithea's API to do something. The arguments are JSON.
api() {
    curl --silent --show-error --header 'Content-Type: application/json' http://server:5000/_admin/api \
        --data "{\"id\": 1, \"api_key\": \"$key\", \"method\": \"$1\", \"args\": $2}"
}
expect 'created new user' api create_user '{"username": "alice", "email": "alice@example.org", "password": "secret12"}'
for name in deploys website; do
    expect 'Created new repository' api create_repo "{\"repo_name\": \"$name\", \"repo_type\": \"git\", \"owner\": \"alice\"}"
done

say 'docs/hosts/kallithea.md'
cd /root
offline
cp /deb/old.deb deploy-by-code_0.deb
# shellcheck disable=SC2016 # git's shell expands it
git config --global credential.helper '!f() { echo password=secret12; }; f'
git init -q -b main website
echo '<h1>Hello</h1>' >website/index.html
git -C website add .
git -C website commit -q -m 'The first page'
git -C website remote add origin http://alice@server:5000/website
git -C website push -q origin main
as_written kallithea 1
as_written kallithea 2 2>/dev/null
at wait 1
expect 'alice (kallithea)' at log -n 1
expect Hello cat /srv/apps/staging/website/current/index.html

echo '<h1>Hello again</h1>' >website/index.html
git -C website commit -q -a -m 'The second page'
git -C website push -q origin main
cd deploys
as_written kallithea 3
at wait 2
expect 'Hello again' cat /srv/apps/staging/website/current/index.html

say 'a push that would deploy an unknown commit'
printf '%040d\n' 7 | cat - staging/website.deploy >new
mv new staging/website.deploy
git commit -q -a -m 'Deploy what does not exist'
expect 'refused staging/website.deploy' git push origin main
[ -f "$repository/hooks/chained/post-receive" ] || fail "Kallithea's own hook is gone"

say 'all of it worked'
