#!/bin/bash
# Tests completion as people use it: with the tab key, in interactive shells that find the files of
# the package.
set -euo pipefail
# shellcheck source=tests/deb/lib.sh
. /test/lib.sh
export HOME=/root TERM=xterm
# The shells need terminals.
mkdir -p /dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
ln -sf pts/ptmx /dev/ptmx
dpkg --install /deb/old.deb >/dev/null
job
useradd git
repository /srv/deploys.git git $'[environments.staging]\n[environments.production]' >/dev/null
git config --global safe.directory '*'
git clone -q /srv/deploys.git /root/work 2>/dev/null
deploy /root/work 1
git -C /root/work push -q origin HEAD:refs/heads/main 2>/dev/null
chown -R git: /srv/deploys.git
deploy-by-code -C /srv/deploys.git wait 1 >/dev/null
printf 'autoload -Uz compinit\ncompinit -u\n' >/root/.zshrc

# tab SHELL LINE FILE TEXT: completes the line at each ^, runs it, and checks that its output in the
# file has the text.
tab() {
    rm -f "$3"
    zsh /test/tab.zsh "$1" "$2 >$3 2>&1" || fail "$1 did not run: $2"
    expect "$4" cat "$3"
    printf 'ok: %-5s %s\n' "${1%% *}" "$2"
}

server='deploy-by-code -C /srv/deploys.git'
for shell in 'bash --rcfile /usr/share/bash-completion/bash_completion -i' 'zsh -i' 'fish -i'; do
    say "$shell"
    tab "$shell" "$server freeze st^ --reason x" /tmp/freeze 'staging: frozen by root'
    tab "$shell" "$server thaw st^" /tmp/thaw 'staging is thawed'
    tab "$shell" "$server status production/a^" /tmp/status $'SUMMARY\nproduction/app'
    tab "$shell" "$server show ^" /tmp/show '#1'
    tab "$shell" "$server stat^" /tmp/command 'APPLICATION'
    tab "$shell" 'git -C /root/work deploy stat^ -h' /tmp/git 'git deploy status'
    tab "$shell" 'git -C /root/work deploy propose production/a^ -h' /tmp/git 'git deploy propose'
done

say 'all of it worked'
