# shellcheck shell=bash
# Functions that the scripts in this folder share. The scripts run inside of a fresh machine, with
# the packages in /deb.

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# until_true SECONDS COMMAND…: waits until a command succeeds.
until_true() {
    local left=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited too long for: $*"
        sleep 0.1
    done
}

# expect TEXT COMMAND…: checks that the output of a command has this text in it.
expect() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) || true
    [[ $output == *"$text"* ]] || fail "\"$text\" is missing in what $* printed: $output"
}

export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
export LC_ALL=C.UTF-8

# repository PATH OWNER [TOML]: makes a bare deploy repository of a user, with a configuration and
# the hooks.
repository() {
    git init -q --bare -b main "$1"
    printf '%s\n' "${3:-}" '[defaults]' 'command = ["/usr/local/bin/job"]' >"$1/deploy-by-code.toml"
    chown -R "$2:" "$1"
    deploy-by-code install "$1"
}

# job: makes the command that deployments run. The command waits as long as /var/tmp/hold exists.
job() {
    cat >/usr/local/bin/job <<'EOF'
#!/bin/sh
echo "start $DEPLOY_ID $(id -un) $(cat /proc/self/cgroup)" >>/var/tmp/ran
while [ -e /var/tmp/hold ]; do sleep 0.1; done
echo "end $DEPLOY_ID" >>/var/tmp/ran
EOF
    chmod 755 /usr/local/bin/job
    : >/var/tmp/ran
    chmod 666 /var/tmp/ran
}

# deploy CLONE N: commits the n-th revision of production/app.
deploy() {
    mkdir -p "$1/production"
    printf '%07d%033d\n' "$2" 0 >"$1/production/app.deploy"
    git -C "$1" add -A
    git -C "$1" commit -q -m "Deploy $2"
}

# block PAGE N: prints the n-th block of code of a page in docs. A page without a folder is in
# docs/hosts.
block() { awk -v wanted="$2" '/^```/ { inside = !inside; if (inside) number++; next } inside && number == wanted' "/test/$(page "$1").md"; }
page() {
    case $1 in
    */*) echo "$1" ;;
    *) echo "hosts/$1" ;;
    esac
}

# as_written PAGE N: runs the n-th block of code of a page.
as_written() {
    printf -- '-- %s.md, block %s\n' "$1" "$2"
    block "$1" "$2" >/root/block.sh
    bash -eu /root/block.sh
}

# offline: lets apt install a package file, although the machine has no network and nobody is there
# to answer.
offline() {
    printf 'APT::Install-Recommends "false";\nAPT::Get::Assume-Yes "true";\n' >/etc/apt/apt.conf.d/90offline
}
