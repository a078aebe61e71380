#!/usr/bin/env bash
# Tests the Debian package in fresh machines. The script must run as root on Debian. It installs the
# programs that it needs.
#
#   scripts/test-deb.sh DEB [chroot] [shells] [piuparts] [autopkgtest] [units] [hosts] [reproduce]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deb=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- chroot
[ "$(id -u)" -eq 0 ] || { echo 'test-deb: run this as root: it makes machines of its own' >&2; exit 1; }

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
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
fi

scratch=$(mktemp -d /var/tmp/deploy-by-code-deb.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

# Upgrades are tested with the same package under a higher version.
mkdir "$scratch/deb"
cp "$deb" "$scratch/deb/old.deb"
dpkg-deb --raw-extract "$deb" "$scratch/raw"
sed -i 's/^Version: .*/&+next/' "$scratch/raw/DEBIAN/control"
dpkg-deb --build --root-owner-group "$scratch/raw" "$scratch/deb/new.deb" >/dev/null
mkdir "$scratch/test"
cp -r tests/deb/*.*sh scripts/demo.sh docs/hosts "$scratch/test"

root() { # root MACHINE PACKAGES: makes the folder of a fresh machine, unless it is there
    if [ ! -d "$scratch/$1" ]; then
        echo "test-deb: making a fresh $suite" >&2
        mmdebstrap --quiet --variant=minbase --include="$2" "$suite" "$scratch/$1.tar"
        mkdir "$scratch/$1"
        tar -C "$scratch/$1" -xf "$scratch/$1.tar"
    fi
}

inside() { # inside MACHINE SCRIPT: runs the script in the machine, without an init
    cp -r "$scratch/deb" "$scratch/test" "$scratch/$1"
    # The script gets its own name spaces, so that it leaves no process behind.
    unshare --mount --pid --fork --mount-proc="$scratch/$1/proc" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
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
    piuparts --no-eatmydata --distribution="$suite" --basetgz="$scratch/plain.tar.gz" --warn-on-leftovers-after-purge "$deb" >"$scratch/piuparts.log" 2>&1 ||
        { tail -n 60 "$scratch/piuparts.log"; return 1; }
    tail -n 2 "$scratch/piuparts.log"
}

autopkgtest_test() {
    root tested git,procps,apt-utils,dpkg-dev
    cp -rL tests/deb/autopkgtest "$scratch/tree"
    # The test gets its own mount name space, and /proc is unmounted with it.
    unshare --mount --pid --fork --mount-proc="$scratch/tested/proc" \
        autopkgtest --no-built-binaries "$deb" "$scratch/tree/" -- chroot "$scratch/tested" >"$scratch/autopkgtest.log" 2>&1 ||
        { tail -n 60 "$scratch/autopkgtest.log"; return 1; }
    grep -E "^[a-z]+ +PASS" "$scratch/autopkgtest.log"
}

units_test() {
    root booting git,procps,systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,rsyslog
    bash tests/deb/boot.sh "$scratch" booting units units-rebooted
}

hosts_test() {
    root hosts git,procps,systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,openssl,apache2,apache2-utils,nginx-light,fcgiwrap,gitolite3
    bash tests/deb/boot.sh "$scratch" hosts hosts
}

# Builds the package in two folders and with two CARGO_HOMEs. The registry is copied, so that
# nothing is fetched twice.
reproduce_test() {
    local folder
    for folder in one two; do
        git clone -q . "$scratch/$folder/source"
    done
    for folder in one two; do
        cp -r "${CARGO_HOME:-$HOME/.cargo}" "$scratch/$folder/cargo"
        env -u CARGO_TARGET_DIR CARGO_HOME="$scratch/$folder/cargo" make --silent -C "$scratch/$folder/source" deb >"$scratch/$folder.log" 2>&1 ||
            { tail -n 30 "$scratch/$folder.log"; return 1; }
    done
    cmp "$scratch"/one/source/target/debian/*.deb "$scratch"/two/source/target/debian/*.deb
    sha256sum "$scratch"/*/source/target/debian/*.deb
}

for test in "$@"; do
    printf '\n==> %s\n' "$test"
    "${test}_test"
done
