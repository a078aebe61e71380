#!/bin/bash
# Tests docs/page.md: the units of the page, and the page behind nginx and Apache with TLS and a
# password. The commands are taken from there and run in a machine that was booted with systemd.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root DEBIAN_FRONTEND=noninteractive

dump() {
    status=$?
    [ "$status" -eq 0 ] || journalctl --no-pager -n 60 || true
}
trap dump EXIT

# All of Debian's packages are already installed in the machine, so apt-get only checks that they are.
# htpasswd gets the password as an argument, because nobody is there to type it.
apt-get() {
    [ "$1" = update ] || dpkg --status "${@:2}" >/dev/null
}
htpasswd() { command htpasswd -b "$@" secret 2>/dev/null; }
export -f apt-get htpasswd deploy

repository=/srv/git/deploys.git
socket=/run/deploy-by-code-web/git.sock
unit=deploy-by-code-web@git

# ask PATH [ARGUMENT…]: asks the page itself.
ask() { curl -sS --max-time 20 --unix-socket "$socket" "${@:2}" "http://page$1"; }

# site PATH [ARGUMENT…]: asks the web server, and checks its certificate.
site() {
    curl -sS --max-time 20 --cacert /root/ca.pem --connect-to ::127.0.0.1 "${@:2}" \
        "https://deploys.example.org$1"
}
alice() { site "$@" --user alice:secret; }

code=(--output /dev/null --write-out '%{http_code}')

# answers CODE COMMAND…: checks the status of an answer.
answers() {
    local found
    found=$("${@:2}" "${code[@]}") || true
    [ "$found" = "$1" ] || fail "${*:2} was answered by $found instead of $1"
}

# shown TEXT COMMAND…: whether the output of a command has this text in it.
shown() (expect "$@")

property() { systemctl show --property "$2" --value "$1"; }
main_pid() { property "$unit.service" MainPID; }
is_over() { [ "$(property "$unit.service" ActiveState)" = inactive ]; }

# as_git COMMAND…: runs a command as the owner of the repositories, without a session, which logind
# would end with all that is left of it.
as_git() { setpriv --reuid=git --regid=git --init-groups env HOME=/home/git "$@"; }

# push N: deploys the n-th revision.
push() {
    as_git bash -ec "deploy /home/git/work $1; git -C /home/git/work push -q origin HEAD:refs/heads/main" \
        2>/root/pushed || fail "$(cat /root/pushed)"
    deploy-by-code -C "$repository" wait "$1" >/dev/null
}

# drop_in KIND: changes a unit as systemctl edit does, with what is read.
drop_in() {
    mkdir -p "/etc/systemd/system/$unit.$1.d"
    cat >"/etc/systemd/system/$unit.$1.d/override.conf"
    systemctl daemon-reload
}
drop_out() {
    rm -r "/etc/systemd/system/$unit.$1.d"
    systemctl daemon-reload
}

# links: prints where the HTML or the feed that is read leads to.
links() { grep -oE ' (href|src|action|data-follow)="[^"]*"' | sed -E 's/^[^"]*"//; s/"$//; s/#.*//; s/&amp;/\&/g' | sort -u; }

# follows_all ROOT PATH…: checks that all links from some paths on lead below a root, and answer.
follows_all() {
    local root=$1 path to left=("${@:2}") seen=' '
    count=0
    while [ ${#left[@]} -gt 0 ]; do
        path=${left[0]}
        left=("${left[@]:1}")
        [[ $seen != *" $path "* ]] || continue
        seen+="$path "
        count=$((count + 1))
        [ "$count" -lt 200 ] || fail 'there are too many links'
        # What goes on and on has no length.
        if [[ $path == */events* ]]; then
            expect '200' alice "$path" "${code[@]}" --max-time 0.5
            continue
        fi
        answers 200 alice "$path"
        [[ $path != */api/* ]] || continue
        for to in $(alice "$path" | links); do
            [[ $to == "$root"/* ]] || fail "$path leads to $to"
            left+=("$to")
        done
    done
    echo "$count links"
}

# streams N PATH: checks that the event of the n-th push passes through a web server at once.
streams() {
    local number=$1 path=$2
    : >/root/events
    alice "$path" --no-buffer >/root/events 2>/dev/null &
    # The stream begins with this line.
    until_true 5 grep -q '^retry:' /root/events
    ! grep -q '^event:' /root/events || fail "there is an event already: $(cat /root/events)"
    push "$number"
    until_true 5 grep -q '^event: change' /root/events
    pkill -P $!
    wait $! || true
}

say 'install: nothing is enabled or started'
systemctl disable --now --quiet apache2 nginx 2>/dev/null
echo '127.0.0.1 deploys.example.org' >>/etc/hosts
job
useradd --create-home --shell /bin/bash git
dpkg --install /deb/old.deb >/dev/null
[ "$(systemctl is-enabled "$unit.socket")" = disabled ] || fail 'the socket was enabled by the package'
[ ! -e "$socket" ] || fail 'the socket was made by the package'

say 'a page of which nobody has installed a repository says so, and needs no administrator later'
as_written ./page 3 2>/dev/null
for _ in $(seq 8); do
    expect 'no repository of this user is registered' ask /
done
[ "$(property "$unit.socket" ActiveState)" = active ] || fail "the socket is $(property "$unit.socket" Result)"

say 'the first request starts the service'
install -d -o git -g git /srv/git
repository "$repository" git >/dev/null
as_git git clone -q "$repository" /home/git/work 2>/dev/null
push 1
until_true 10 shown 'production' ask /
systemctl stop "$unit.service" 2>/dev/null
ask / --write-out 'the first answer came after %{time_total} s\n' --output /dev/null
ask / --write-out 'the second one after %{time_total} s\n' --output /dev/null
push 2
expect '/deployment/2"' ask /

say 'only the group of the web server may connect'
setpriv --reuid=www-data --regid=www-data --clear-groups curl -sS --unix-socket "$socket" "http://page/healthz"
! setpriv --reuid=nobody --regid=nogroup --clear-groups curl -sS --unix-socket "$socket" "http://page/healthz" 2>/dev/null || fail 'anybody may connect'

say 'the service may read, and nothing else'
pid=$(main_pid)
touching() { "$@" setpriv --reuid=git --regid=git --init-groups touch "$repository/deploy-by-code/state.db" /home/git/work "$repository/new"; }
touching env
expect 'Read-only file system' touching nsenter --mount --target "$pid"
! touching nsenter --mount --target "$pid" 2>/dev/null || fail 'the service can write'
for line in 'CapEff:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
    grep -qx "$line" "/proc/$pid/status" || fail "the process has not: $line"
done
[ "$(stat -c %U "/proc/$pid")" = git ] || fail 'the service runs as another user'
[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] || fail 'the service reaches the network'
expect 67108864 property "$unit.service" MemoryMax
# The figure is ten times what is printed.
systemd-analyze security --no-pager --threshold=25 "$unit.service" >/root/security || fail "$(cat /root/security)"
tail -n 1 /root/security

say 'it ends when nobody asks, and the next request starts it again'
# systemd allows five starts in 10 s, which are many with the unit's own time.
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=/usr/bin/deploy-by-code-web --registered --idle 1s\n' | drop_in service
systemctl restart "$unit.service"
until_true 10 is_over
expect success property "$unit.service" Result
answers 200 ask /
[ "$(main_pid)" != "$pid" ] || fail 'the service did not start again'
# A client that has come is answered, even if the time is just over.
for _ in $(seq 10); do
    sleep 1.1
    answers 200 ask /healthz
done
drop_out service
systemctl restart "$unit.service"

say 'another group: the socket starts only if there is one'
block ./page 4 | drop_in socket
! systemctl restart "$unit.socket" 2>/dev/null || fail 'the socket has a group that does not exist'
groupadd nginx
systemctl restart "$unit.socket"
expect 'git nginx 660' stat -c '%U %G %a' "$socket"
drop_out socket
systemctl restart "$unit.socket"
expect 'git www-data 660' stat -c '%U %G %a' "$socket"
answers 200 ask /

say 'a certificate'
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=an authority' \
    -keyout /root/ca.key -out /root/ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=deploys.example.org \
    -keyout /etc/ssl/private/deploys.key -out /root/deploys.csr 2>/dev/null
openssl x509 -req -in /root/deploys.csr -CA /root/ca.pem -CAkey /root/ca.key -days 2 \
    -extfile <(echo subjectAltName=DNS:deploys.example.org) -out /etc/ssl/certs/deploys.pem 2>/dev/null

# behind N: checks the page behind a web server at the top of a site, with the n-th push.
behind() {
    ! curl -sS --connect-to ::127.0.0.1 https://deploys.example.org/ 2>/dev/null || fail 'the certificate counts everywhere'
    answers 401 site /
    answers 401 site /style.css
    answers 401 site /events
    answers 401 site / --user alice:wrong
    answers 200 alice /
    answers 200 alice /style.css
    answers 200 alice /script.js
    expect "/deployment/$(($1 - 1))\"" alice /
    follows_all '' /
    streams "$1" /events
}

say 'nginx'
systemctl start nginx
as_written ./page 5
block ./page 6 >/etc/nginx/sites-available/deploys
as_written ./page 7
until_true 10 shown '/application/app"' alice /
behind 3

say 'nginx, below a path of a site'
printf '[web]\nbase_path = "/deploys"\n' | cat "$repository/deploy-by-code.toml" - >/root/toml
cat /root/toml >"$repository/deploy-by-code.toml"
{
    block ./page 6 | sed '/auth_basic/d; /location/,$d'
    echo 'location / { return 200 "the site that is there already"; }'
    block ./page 8
    echo '}'
} >/etc/nginx/sites-available/deploys
systemctl reload nginx
until_true 10 shown 'the site that is there already' site /
until_true 10 shown 'production' alice /deploys/
answers 401 site /deploys/
expect 'ocation: https://deploys.example.org/deploys/' alice /deploys --head
follows_all /deploys /deploys/ /deploys/environment/production /deploys/application/app /deploys/deployment/1
streams 4 /deploys/events

say 'two repositories below a path'
repository /srv/git/second.git git "$(printf '[web]\nbase_path = "/deploys"\n')" >/dev/null
until_true 10 shown '/deploys/r/second/' alice /deploys/
expect 'ocation: /deploys/r/second/' alice /deploys/r/second --head
follows_all /deploys /deploys/ /deploys/r/deploys/deployment/4
deploy-by-code uninstall /srv/git/second.git >/dev/null
rm -r /srv/git/second.git

say 'Apache'
sed -i '/^\[web\]$/d; /base_path/d' "$repository/deploy-by-code.toml"
systemctl stop nginx
as_written ./page 9
block ./page 10 >/etc/apache2/sites-available/deploys.conf
as_written ./page 11 >/dev/null
until_true 10 shown '/application/app"' alice /
behind 5

say 'an upgrade: the next request is answered by the new program'
pid=$(main_pid)
dpkg --install /deb/new.deb >/dev/null
answers 200 ask /
[ "$(main_pid)" != "$pid" ] || fail 'the old program still runs'

say 'removed: the units are stopped'
dpkg --remove deploy-by-code 2>/root/removed
for state in "$unit.socket" "$unit.service"; do
    [ "$(property "$state" ActiveState)" = inactive ] || fail "$state is $(property "$state" ActiveState)"
    [ "$(property "$state" LoadState)" = not-found ] || fail "$state is $(property "$state" LoadState)"
done
! pgrep -f deploy-by-code-web || fail 'the program still runs'
answers 503 alice /

say 'installed again: the page is there as before'
dpkg --install /deb/new.deb >/dev/null
answers 200 alice /

say 'purged: nothing is enabled any more'
dpkg --purge deploy-by-code 2>/dev/null
[ -z "$(find /etc/systemd/system -name 'deploy-by-code*')" ] || fail "purge left $(find /etc/systemd/system -name 'deploy-by-code*')"

say 'all of it worked'
