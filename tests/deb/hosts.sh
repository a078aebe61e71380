#!/bin/bash
# Real git hosts, each from a bare server to the first deploy, as the pages in docs/hosts say: sshd with git-shell, git-http-backend behind Apache and
# behind nginx with fcgiwrap, and Gitolite. In a fresh machine without an init and with a network of its own.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root
ip link set lo up
dpkg --install /deb/old.deb >/dev/null
mkdir -p /run/sshd
job
git config --global protocol.version 2
at() { deploy-by-code -C "$repository" "$@"; }
# pushes CLONE NAME KNOWN: deploys the next revision, and sees who it was.
pushes() {
    number=$((number + 1))
    deploy "$1" "$number"
    expect "production/app" git -C "$1" push -o wait origin HEAD:refs/heads/main
    expect "$2 ($3)" at log -n 1
    expect succeeded at log -n 1
}

say 'docs/hosts/ssh.md: sshd with git-shell, one account, a name for each key'
useradd --create-home --shell /bin/bash git
repository=/srv/git/deploys.git number=0
mkdir -p /srv/git
repository "$repository" git
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
mkdir /home/git/.ssh
# shellcheck disable=SC2016 # sshd's shell expands it
printf 'command="DEPLOY_BY_CODE_PUSHER=alice git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict %s\n' "$(cat /root/.ssh/id_ed25519.pub)" >/home/git/.ssh/authorized_keys
chown -R git: /home/git/.ssh
chmod 700 /home/git/.ssh
/usr/sbin/sshd
printf 'StrictHostKeyChecking accept-new\n' >/root/.ssh/config
until_true 20 git ls-remote git@127.0.0.1:/srv/git/deploys.git
git clone -q git@127.0.0.1:/srv/git/deploys.git /root/ssh 2>/dev/null
pushes /root/ssh alice 'ssh key'
at doctor | grep -v '^ok' || true

say 'docs/hosts/http.md: git-http-backend behind Apache'
repository=/srv/http/deploys.git number=0
mkdir -p /srv/http
repository "$repository" www-data
printf 'alice:%s\n' "$(openssl passwd -apr1 secret)" >/etc/git-users
cat >/etc/apache2/conf-available/git.conf <<'CONF'
SetEnv GIT_PROJECT_ROOT /srv/http
SetEnv GIT_HTTP_EXPORT_ALL
ScriptAlias /git/ /usr/lib/git-core/git-http-backend/
<Location /git/>
    AuthType Basic
    AuthName git
    AuthUserFile /etc/git-users
    Require valid-user
</Location>
CONF
a2enmod -q cgid auth_basic authn_file >/dev/null
a2enconf -q git >/dev/null
sed -i 's/^Listen 80/Listen 127.0.0.1:8080/' /etc/apache2/ports.conf
mkdir -p /run/apache2 /run/lock/apache2 /var/log/apache2
apachectl start 2>/dev/null
git config --global http.proactiveAuth basic 2>/dev/null || true
until_true 20 git ls-remote http://alice:secret@127.0.0.1:8080/git/deploys.git
git clone -q http://alice:secret@127.0.0.1:8080/git/deploys.git /root/apache 2>/dev/null
pushes /root/apache alice http
grep -q "start 1 www-data" /var/tmp/ran || fail 'the job was not the web server'"'"'s user'
! grep -q secret /proc/*/environ 2>/dev/null || fail 'a process still has the password'
apachectl stop 2>/dev/null

say 'docs/hosts/http.md: git-http-backend behind nginx with fcgiwrap'
cat >/etc/nginx/sites-enabled/default <<'CONF'
server {
    listen 127.0.0.1:8081;
    location ~ ^/git(/.*) {
        auth_basic git;
        auth_basic_user_file /etc/git-users;
        client_max_body_size 0;
        fastcgi_pass unix:/run/fcgiwrap.socket;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
        fastcgi_param GIT_PROJECT_ROOT /srv/http;
        fastcgi_param GIT_HTTP_EXPORT_ALL "";
        fastcgi_param PATH_INFO $1;
        fastcgi_param REMOTE_USER $remote_user;
    }
}
CONF
su -s /bin/sh www-data -c 'touch /tmp/x'
install -d -o www-data /run/fcgi
sed -i 's#unix:/run/fcgiwrap.socket#unix:/run/fcgi/socket#' /etc/nginx/sites-enabled/default
su -s /bin/sh www-data -c 'fcgiwrap -s unix:/run/fcgi/socket >/dev/null 2>&1 &'
nginx
until_true 20 git ls-remote http://alice:secret@127.0.0.1:8081/git/deploys.git
git clone -q http://alice:secret@127.0.0.1:8081/git/deploys.git /root/nginx 2>/dev/null
number=1
pushes /root/nginx alice http
nginx -s stop

say 'docs/hosts/gitolite.md: Gitolite 3, with the hooks common to all repositories, and for one'
useradd --create-home --shell /bin/bash gitolite
cp /root/.ssh/id_ed25519.pub /home/gitolite/alice.pub
as() { su gitolite -s /bin/bash -c "cd; $*"; }
as gitolite setup -pk alice.pub >/dev/null 2>&1
git clone -q gitolite@127.0.0.1:gitolite-admin /root/admin 2>/dev/null
cat >>/root/admin/conf/gitolite.conf <<'CONF'

repo deploys
    RW+ = alice
CONF
git -C /root/admin commit -q -a -m 'The deploy repository'
git -C /root/admin push -q origin HEAD 2>/dev/null
repository=/home/gitolite/repositories/deploys.git number=0
printf 'branch = "main"\n[defaults]\ncommand = ["/usr/local/bin/job"]\n' >"$repository/deploy-by-code.toml"
chown gitolite: "$repository/deploy-by-code.toml"
expect 'Gitolite: a hook of the same name' deploy-by-code install "$repository"
git clone -q gitolite@127.0.0.1:deploys /root/gitolite 2>/dev/null
pushes /root/gitolite alice gitolite
as gitolite setup >/dev/null 2>&1
pushes /root/gitolite alice gitolite
expect 'update' ls "$repository/hooks"
at uninstall >/dev/null
# A common hook for every repository.
sed -i "s|# LOCAL_CODE *=>  \"\$ENV{HOME}/local\",|LOCAL_CODE => \"\$ENV{HOME}/local\",|" /home/gitolite/.gitolite.rc
as 'mkdir -p local/hooks/common && ln -s /usr/share/deploy-by-code/hooks/* local/hooks/common/ && gitolite setup --hooks-only' >/dev/null 2>&1
[ -L "$repository/hooks/post-receive" ] || fail 'Gitolite did not link the common hook'
expect 'register with the timer' deploy-by-code install "$repository"
expect 'everything is in place' deploy-by-code install "$repository"
expect 'to a scratch repository with these hooks was planned' at doctor
pushes /root/gitolite alice gitolite

say 'all of it worked'
