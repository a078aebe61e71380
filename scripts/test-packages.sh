#!/bin/sh
# Makes sure that the programs which the tests run are there. On Debian and as root it installs the
# packages of those that are missing; otherwise it says which they are. When nothing is missing it
# does nothing, and needs no network.
#
#   scripts/test-packages.sh [PROGRAM PACKAGE]…     more programs, and the packages that have them
set -eu

PATH="$PATH:/usr/sbin:/sbin"
packages=
programs=

need() { # need PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || lack "$1" "$2"
}

need_module() { # need_module MODULE PACKAGE: a module of the Python that Debian has
    /usr/bin/python3 -c "import $1" 2>/dev/null || lack "$1" "$2"
}

need_folder() { # need_folder FOLDER PACKAGE
    [ -d "$1" ] || lack "$1" "$2"
}

lack() { # lack WHAT PACKAGE
    programs="$programs $1"
    case " $packages " in
    *" $2 "*) ;;
    *) packages="$packages $2" ;;
    esac
}

if ! command -v cargo >/dev/null 2>&1; then
    echo "test-packages: cargo is not in PATH: install a Rust toolchain (package rustup, or package" >&2
    echo "  cargo where it is new enough: rust-version in Cargo.toml names the oldest that will do)" >&2
    exit 1
fi
if ! command -v cc >/dev/null 2>&1; then
    echo "test-packages: there is no C compiler (cc), which SQLite is built with: install the" >&2
    echo "  packages gcc and libc6-dev" >&2
    exit 1
fi

need git git
need ssh openssh-client
need ssh-keygen openssh-client
need sshd openssh-server
need rsyslogd rsyslog
need strace strace
need valgrind valgrind
need setarch util-linux
need gpgv gpgv
need ps procps
need pgrep procps
need flock util-linux
need setsid util-linux
need script bsdutils
need promtool prometheus
need prometheus-node-exporter prometheus-node-exporter
need gpg gpg
need gpg-agent gpg-agent
need bash bash
need openssl openssl
need gpg gpg
need gpg-agent gpg-agent
need gpgv gpgv
need curl curl
need jq jq
need chromium chromium
need npm npm
need tidy tidy
need xmllint libxml2-utils
need mkfs.xfs xfsprogs
need mkfs.btrfs btrfs-progs
need filefrag e2fsprogs
need aiosmtpd python3-aiosmtpd
need_folder /var/lib/extrausers libnss-extrausers
need_module ssl python3
need_module ensurepip python3-venv
need_module jsonschema python3-jsonschema
while [ $# -gt 1 ]; do
    need "$1" "$2"
    shift 2
done

if [ -n "$packages" ]; then
    packages=${packages# }
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "test-packages: the tests need programs that are not here:$programs" >&2
        echo "  in Debian they are in the packages: $packages" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "test-packages: the tests need packages that are not here: $packages" >&2
        echo "  install them with: sudo apt-get install --no-install-recommends $packages" >&2
        exit 1
    fi
    echo "test-packages: installing $packages"
    # A package's service must not start here: the tests start their own sshd and rsyslogd.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update ||
        echo "test-packages: apt-get update had trouble, trying with the lists that are here" >&2
    # shellcheck disable=SC2086 # one word for each package
    apt-get -qq -y -o Dpkg::Options::=--force-confold install --no-install-recommends $packages \
        >/dev/null
fi

# sshd as root wants this folder, which otherwise the service makes at every boot.
if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    mkdir -m 755 /run/sshd
fi
