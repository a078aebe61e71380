#!/bin/bash
# Tests docs/hosts/pagure.md with a real Pagure, in a machine that was booted with systemd: from
# two new projects to a deploy that was merged as a pull request.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root PYTHONWARNINGS=ignore

dump() {
    status=$?
    [ "$status" -eq 0 ] || journalctl --no-pager -n 60 -u pagure-web -u pagure-worker
}
trap dump EXIT

app=http://127.0.0.1:8080
repository=/var/lib/pagure/repositories/deploys.git
at() { deploy-by-code -C "$repository" "$@"; }

say 'Pagure, as its README.Debian says, with the web application of its package'
echo '127.0.0.1 server' >>/etc/hosts
mkdir -p /root/.ssh
printf 'StrictHostKeyChecking accept-new\n' >/root/.ssh/config
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /var/tmp/alice.pub
sed -i -e "s|^REDIS_HOST.*|REDIS_HOST = '127.0.0.1'|" -e "s|^APP_URL.*|APP_URL = '$app/'|" /etc/pagure/pagure.cfg
systemctl start redis-server
python3 /usr/share/pagure/createdb.py -c /etc/pagure/pagure.cfg -i /etc/pagure/alembic.ini >/var/tmp/createdb.log 2>&1 ||
    fail "$(tail -n 5 /var/tmp/createdb.log)"
chown _pagure: /var/tmp/pagure_dev.sqlite
systemctl start pagure-worker pagure-authorized-keys-worker
cat >/var/tmp/web.py <<'PY'
import os
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

os.environ["PAGURE_CONFIG"] = "/etc/pagure/pagure.cfg"
from pagure.flask_app import create_app


class Server(ThreadingMixIn, WSGIServer):
    pass


make_server("127.0.0.1", 8080, create_app(), server_class=Server).serve_forever()
PY
systemd-run --quiet --unit=pagure-web --uid=_pagure --setenv=PYTHONWARNINGS=ignore python3 /var/tmp/web.py

# Two people, each with a token for Pagure's API. Alice has a key for ssh too.
cat >/var/tmp/people.py <<'PY'
import datetime
import os

os.environ["PAGURE_CONFIG"] = "/etc/pagure/pagure.cfg"
import pagure.lib.model_base
import pagure.lib.query
import pagure.lib.tasks
from pagure.config import config

session = pagure.lib.model_base.create_session(config["DB_URL"])
for name in ("alice", "bob"):
    mail = name + "@example.org"
    user = pagure.lib.query.set_up_user(session, name, name, mail, emails=[mail])
    session.commit()
    soon = datetime.date.today() + datetime.timedelta(days=30)
    pagure.lib.query.add_token_to_user(session, None, list(config["ACLS"]), name, soon)
    session.commit()
    with open("/var/tmp/token." + name, "w") as token:
        token.write(user.tokens[0].id)
    if name == "alice":
        key = open("/var/tmp/alice.pub").read().strip()
        pagure.lib.query.add_sshkey_to_project_or_user(session, key, True, user, user=user)
        session.commit()
        pagure.lib.tasks.add_key_to_authorized_keys.delay(config["SSH_FOLDER"], name, key).get()
PY
setpriv --reuid=_pagure --regid=_pagure --clear-groups python3 /var/tmp/people.py >/var/tmp/people.log 2>&1 ||
    fail "$(tail -n 5 /var/tmp/people.log)"

# api PERSON PATH [KEY=VALUE]…: asks Pagure's API to do something.
api() {
    local person=$1 path=$2 data=()
    shift 2
    for pair in "$@"; do
        data+=(--data "$pair")
    done
    curl --silent --show-error --max-time 120 --header "Authorization: token $(cat "/var/tmp/token.$person")" \
        --data wait=true "${data[@]}" "$app/api/0/$path"
}
until_true 60 curl --silent --fail "$app/api/0/version"
for project in deploys website; do
    expect created api alice new name=$project description=$project
    expect '"bob"' api alice $project/git/modifyacls user_type=user name=bob acl=commit
done

say 'docs/hosts/pagure.md'
cd /root
offline
cp /deb/old.deb deploy-by-code_0.deb
git init -q -b main website
echo '<h1>Hello</h1>' >website/index.html
git -C website add .
git -C website commit -q -m 'The first page'
git -C website remote add origin ssh://_pagure@server/website.git
git -C website push -q origin main 2>/dev/null
as_written pagure 1
as_written pagure 2 2>/dev/null
at wait 1
expect 'alice (pagure)' at log -n 1
expect Hello cat /srv/apps/staging/website/current/index.html

say 'a pull request that bob merges'
echo '<h1>Hello again</h1>' >website/index.html
git -C website commit -q -a -m 'The second page'
git -C website push -q origin main 2>/dev/null
cd deploys
as_written pagure 3 2>/dev/null
expect '"id":1' api alice deploys/pull-request/new title=Deploy branch_to=main branch_from=deploy-website
expect 'Changes merged' api bob deploys/pull-request/1/merge
at wait 2
expect 'bob (pagure)' at log -n 1
expect 'Hello again' cat /srv/apps/staging/website/current/index.html

say 'a pull request that would deploy an unknown commit'
git switch -q -c wrong
printf '%040d\n' 7 | cat - staging/website.deploy >new
mv new staging/website.deploy
git commit -q -a -m 'Deploy what does not exist'
git push -q origin wrong 2>/dev/null
expect '"id":2' api alice deploys/pull-request/new title=Wrong branch_to=main branch_from=wrong
api bob deploys/pull-request/2/merge >/var/tmp/merge.log
expect '#2 ' at log -n 1
expect '"status":"Open"' curl --silent "$app/api/0/deploys/pull-request/2"

say 'Pagure leaves the hooks alone'
pagure-admin ensure-project-hooks default >/dev/null 2>&1
expect 'everything is in place' deploy-by-code install "$repository"

say 'all of it worked'
