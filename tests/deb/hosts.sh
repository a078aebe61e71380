#!/bin/bash
# Tests the pages in docs/hosts with real git hosts, each from a bare server to the first deploy.
# The commands are taken from the pages and run in a machine that was booted with systemd. The hosts
# are sshd with git-shell, git-http-backend behind Apache, git-http-backend behind nginx with
# fcgiwrap, and Gitolite.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root DEBIAN_FRONTEND=noninteractive

dump() {
    status=$?
    [ "$status" -eq 0 ] || { deploy-by-code -C "$repository" log; journalctl --no-pager -n 40; } || true
}
trap dump EXIT

# All of Debian's packages are already installed in the machine, so apt-get only checks that they are.
# htpasswd gets the password as an argument, because nobody is there to type it.
apt-get() {
    local package
    for package in "${@:2}"; do
        case $package in
        ./*) dpkg --install "$package" ;;
        *) dpkg --status "$package" ;;
        esac >/dev/null
    done
}
htpasswd() { command htpasswd -b "$@" "$(cat /root/password)" 2>/dev/null; }
export -f apt-get htpasswd

# website URL: makes a clone of the application's repository in the current folder, with a first
# commit.
website() {
    until_true 20 git ls-remote "$1"
    git init -q -b main website
    echo '<h1>Hello</h1>' >website/index.html
    git -C website add .
    git -C website commit -q -m 'The first page'
    git -C website remote add origin "$1"
    git -C website push -q origin main
}

at() { deploy-by-code -C "$repository" "$@"; }

# deployed NAME KNOWN: checks that the first deploy succeeded, and that the log shows who pushed it
# and how that is known.
deployed() {
    at wait 1
    expect "$1 ($2)" at log -n 1
    expect succeeded at log -n 1
    expect Hello cat /srv/apps/staging/website/current/index.html
    expect 'to a scratch repository with these hooks was planned' at doctor
}

# new_page: makes another commit of the website.
new_page() {
    echo '<h1>Hello again</h1>' >../website/index.html
    git -C ../website commit -q -a -m 'The second page'
    git -C ../website push -q origin main
}

# again: makes a second deploy, from the clone that the page made.
again() {
    new_page
    git -C ../website rev-parse HEAD | cat - staging/website.deploy >new
    mv new staging/website.deploy
    git commit -q -a -m 'Deploy the second page'
    git push -q origin HEAD:main
}

# host NAME: makes a folder for the test of one page.
host() {
    mkdir "/root/$1"
    cd "/root/$1"
    cp /deb/old.deb deploy-by-code_0.deb
    rm -rf /srv/apps
}

# spares UNIT: checks that a running deployment survives when the server's unit is restarted.
spares() {
    # [defaults] is the last section of the file.
    echo 'command = ["/usr/local/bin/job"]' >>"$repository/deploy-by-code.toml"
    touch /var/tmp/hold
    again
    until_true 20 grep -q 'start 2 www-data' /var/tmp/ran
    systemctl restart "$1"
    rm /var/tmp/hold
    at wait 2
    expect 'end 2' cat /var/tmp/ran
}

repository=/srv
echo secret >/root/password
job
echo '127.0.0.1 server' >>/etc/hosts
mkdir -p /root/.ssh
printf 'StrictHostKeyChecking accept-new\n' >/root/.ssh/config
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
systemctl disable --now --quiet apache2 nginx fcgiwrap.socket fcgiwrap 2>/dev/null

say 'docs/hosts/ssh.md: sshd with git-shell, one account, a name for each key'
host ssh
repository=/srv/git/deploys.git
as_written ssh 1
block ssh 2 | sed "s|ssh-ed25519 AAAA… alice|$(cat /root/.ssh/id_ed25519.pub)|" >/home/git/.ssh/authorized_keys
chown -R git: /home/git/.ssh
website git@server:/srv/git/website.git
as_written ssh 3
as_written ssh 4
deployed alice 'ssh key'
cd deploys
new_page
as_written ssh 5
at wait 2
expect 'Hello again' cat /srv/apps/staging/website/current/index.html
! ssh git@server true 2>/dev/null || fail 'the key allows more than git'

say 'docs/hosts/http.md: git-http-backend behind Apache'
host apache
repository=/srv/http/deploys.git
as_written http 1
as_written http 2 2>/dev/null
git config --global http.https://server/.sslCAInfo /etc/ssl/certs/git.pem
# shellcheck disable=SC2016 # git's shell expands it
git config --global credential.helper '!f() { echo password=$(cat /root/password); }; f'
block http 3 >/etc/apache2/sites-available/git.conf
as_written http 4
website https://alice@server/git/website.git
as_written http 7
as_written http 8
deployed alice http
cd deploys
spares apache2
! grep -q secret /proc/*/environ 2>/dev/null || fail 'a process still has the password'
systemctl stop apache2
deploy-by-code uninstall "$repository" >/dev/null
rm -r /srv/http

say 'docs/hosts/http.md: git-http-backend behind nginx with fcgiwrap'
host nginx
as_written http 1
block http 5 >/etc/nginx/sites-available/git
as_written http 6
website https://alice@server/git/website.git
as_written http 7
: >/var/tmp/ran
as_written http 8
deployed alice http
cd deploys
spares fcgiwrap
git -c credential.helper= -c core.askPass=true ls-remote https://alice@server/git/deploys.git 2>/dev/null && fail 'a person without a password gets in'

say 'docs/hosts/gitolite.md: Gitolite 3, with the hooks of one repository, and common to all'
host gitolite
repository=/var/lib/gitolite3/repositories/deploys.git
ssh-keygen -q -t ed25519 -N '' -f /root/alice
# This answers the question of the package.
echo 'gitolite3 gitolite3/adminkey string /root/.ssh/id_ed25519.pub' | debconf-set-selections
dpkg-reconfigure gitolite3 >/dev/null 2>&1
as_written gitolite 1
until_true 20 git ls-remote gitolite3@server:gitolite-admin
as_written gitolite 2 2>/dev/null
as_written gitolite 3
export GIT_SSH_COMMAND='ssh -i /root/alice -o IdentitiesOnly=yes'
website gitolite3@server:website
as_written gitolite 6
deployed alice gitolite
su - gitolite3 -c 'gitolite setup'
expect 'everything is in place' deploy-by-code install "$repository"
at uninstall >/dev/null
# Put the setting that the page shows into the file that it names.
setting=$(block gitolite 4)
sed -i "s|^\( *\)# LOCAL_CODE .*|\1$setting|" /etc/gitolite3/gitolite.rc
block gitolite 5 >/tmp/common.sh
su - gitolite3 -c 'bash -eu /tmp/common.sh'
[ -L "$repository/hooks/post-receive" ] || fail 'Gitolite did not link the common hook'
expect 'register with the timer' deploy-by-code install "$repository"
expect 'everything is in place' deploy-by-code install "$repository"
cd deploys
again
at wait 2
expect 'to a scratch repository with these hooks was planned' at doctor

say 'all of it worked'
