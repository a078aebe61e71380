#!/usr/bin/env bash
# Tests the Debian package in fresh machines; as root, on Debian. Installs what it needs.
#
#   scripts/test-deb.sh DEB [chroot] [shells] [piuparts] [autopkgtest] [units] [hosts] [recipes] [page]
#                       [pagure] [kallithea] [reproduce]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deb=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- chroot
[ "$(id -u)" -eq 0 ] || {
    echo 'test-deb: this needs root, for machines of its own' >&2
    exit 1
}

need() { # need PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
missing=()
need mmdebstrap mmdebstrap
need systemd-nspawn systemd-container
[[ " $* " != *' piuparts '* ]] || need piuparts piuparts
[[ " $* " != *' autopkgtest '* ]] || need autopkgtest autopkgtest
if [ ${#missing[@]} -gt 0 ]; then
    echo "test-deb: installing ${missing[*]}"
    apt-get -qq update
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
fi

scratch=$(mktemp -d /var/tmp/deploy-by-code-deb.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

# The same package under a higher version, for upgrades.
mkdir "$scratch/deb"
cp "$deb" "$scratch/deb/old.deb"
dpkg-deb --raw-extract "$deb" "$scratch/raw"
sed -i 's/^Version: .*/&+next/' "$scratch/raw/DEBIAN/control"
dpkg-deb --build --root-owner-group "$scratch/raw" "$scratch/deb/new.deb" >/dev/null
mkdir "$scratch/test"
cp -r tests/deb/*.*sh scripts/demo.sh docs/hosts docs/recipes docs/page.md "$scratch/test"

root() { # root NAME PACKAGES [SUITE]: makes the folder of a fresh machine
    if [ ! -d "$scratch/$1" ]; then
        local suite=${3:-$suite}
        echo "test-deb: making a fresh $suite" >&2
        mmdebstrap --quiet --variant=minbase --include="$2" "$suite" "$scratch/$1.tar"
        mkdir "$scratch/$1"
        tar -C "$scratch/$1" -xf "$scratch/$1.tar"
    fi
}

show_end() { # show_end LOG: shows how a failed test's log ends
    tail -n 60 "$scratch/$1.log"
    return 1
}

inside() { # inside MACHINE SCRIPT: runs it there without an init
    cp -r "$scratch/deb" "$scratch/test" "$scratch/$1"
    # In name spaces of its own, so that nothing of it is left behind.
    unshare --mount --pid --fork --mount-proc="$scratch/$1/proc" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        chroot "$scratch/$1" /bin/bash "/test/$2.sh"
}

chroot_test() {
    root plain git,procps
    inside plain chroot
}

shells_test() {
    root shells git,procps,bash-completion,zsh,fish
    inside shells shells
}

piuparts_test() {
    root plain git,procps
    gzip -1 --keep "$scratch/plain.tar"
    piuparts --no-eatmydata --distribution="$suite" --basetgz="$scratch/plain.tar.gz" \
        --warn-on-leftovers-after-purge "$deb" >"$scratch/piuparts.log" 2>&1 ||
        show_end piuparts
    tail -n 2 "$scratch/piuparts.log"
}

autopkgtest_test() {
    root tested git,procps,apt-utils,dpkg-dev
    cp -rL tests/deb/autopkgtest "$scratch/tree"
    # In a mount name space of its own: /proc goes with it.
    unshare --mount --pid --fork --mount-proc="$scratch/tested/proc" \
        autopkgtest --no-built-binaries "$deb" "$scratch/tree/" -- chroot "$scratch/tested" \
        >"$scratch/autopkgtest.log" 2>&1 ||
        show_end autopkgtest
    grep -E "^[a-z]+ +PASS" "$scratch/autopkgtest.log"
}

# What a machine that boots with systemd and that people log in to needs.
booted=git,procps,systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client

units_test() {
    root booting "$booted,rsyslog"
    bash tests/deb/boot.sh "$scratch" booting units units-rebooted
}

hosts_test() {
    root hosts "$booted,openssl,apache2,apache2-utils,nginx-light,fcgiwrap,gitolite3"
    bash tests/deb/boot.sh "$scratch" hosts hosts
    pagure_test
    kallithea_test
}

recipes_test() {
    root recipes "$booted,sudo,curl,nginx-light,nodejs,php-fpm,php-cli,php-sqlite3"
    bash tests/deb/boot.sh "$scratch" recipes recipes
}

page_test() {
    root page "$booted,apache2,apache2-utils,nginx-light,openssl,curl"
    bash tests/deb/boot.sh "$scratch" page page
}

# Pagure is in Debian since trixie.
pagure_test() {
    root pagure "$booted,pagure,redis-server,curl" trixie
    bash tests/deb/boot.sh "$scratch" pagure pagure
}

# python38: prints where a Python 3.8 is installed, if there is one: in PATH or as pyenv has it.
python38() {
    local python
    for python in python3.8 "$HOME"/.pyenv/versions/3.8.*/bin/python3.8; do
        "$python" -c 'import sys; print(sys.base_prefix)' 2>/dev/null && return
    done
    return 1
}

# Kallithea 0.7.0 needs Python 3.8, which Debian does not have any more. Without one, this test is
# left out. Python is copied into the machine, to where it is here.
kallithea_test() {
    local python base machine=$scratch/kallithea
    if ! python=$(python38); then
        echo 'test-deb: Kallithea is left out, because there is no Python 3.8'
        return
    fi
    root kallithea "$booted,curl,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8"
    base=$(dirname "$python")
    mkdir -p "$machine$base"
    cp -a "$python" "$machine$base/"
    # The service does not run as root, and has to reach Python.
    while [ "$base" != / ]; do
        chmod a+x "$machine$base"
        base=$(dirname "$base")
    done

    # The machine may not reach PyPI, so the packages are fetched here.
    mkdir "$machine/wheels"
    "$python/bin/python3.8" -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" install --quiet 'setuptools<58' wheel
    "$scratch/venv/bin/pip" wheel --quiet --no-build-isolation --wheel-dir "$machine/wheels" \
        'setuptools<58' kallithea==0.7.0 >"$scratch/kallithea.log" 2>&1 || show_end kallithea

    cat >"$machine/kallithea.sh" <<'SCRIPT'
set -e
"$1/bin/python3.8" -m venv /opt/kallithea
/opt/kallithea/bin/pip install --quiet --no-index --find-links /wheels 'setuptools<58'
/opt/kallithea/bin/pip install --quiet --no-index --find-links /wheels kallithea==0.7.0
SCRIPT
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        chroot "$machine" sh /kallithea.sh "$python" >"$scratch/kallithea.log" 2>&1 ||
        show_end kallithea
    bash tests/deb/boot.sh "$scratch" kallithea kallithea
}

# Builds the package in two folders and with two CARGO_HOMEs, and compares. The registry is copied,
# so that nothing is fetched twice.
reproduce_test() {
    local folder
    for folder in one two; do
        git clone -q . "$scratch/$folder/source"
    done
    for folder in one two; do
        cp -r "${CARGO_HOME:-$HOME/.cargo}" "$scratch/$folder/cargo"
        env -u CARGO_TARGET_DIR CARGO_HOME="$scratch/$folder/cargo" \
            make --silent -C "$scratch/$folder/source" deb >"$scratch/$folder.log" 2>&1 ||
            show_end "$folder"
    done
    cmp "$scratch"/one/source/target/debian/*.deb "$scratch"/two/source/target/debian/*.deb
    sha256sum "$scratch"/*/source/target/debian/*.deb
}

for test in "$@"; do
    printf '\n==> %s\n' "$test"
    begin=$SECONDS
    "${test}_test"
    printf '[%s: %d s]\n' "$test" "$((SECONDS - begin))"
done
