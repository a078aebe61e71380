#!/usr/bin/env bash
# Checks the formatting, the code, the manual pages, the scripts and the dependencies.
#
# A check whose program is missing is left out, and the last lines say so. In CI (the variable CI is
# set) a missing program is an error: a check that nobody notices to be missing checks nothing.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

cargo=${CARGO:-cargo}
pages=(packaging/man/*.[1-8])
mapfile -t scripts < <(
    grep -rlE '^#!/(usr/)?bin/(env )?(ba)?sh' .ci benches packaging scripts tests/deb | sort
)
scripts+=(packaging/completions/*.bash)

failed=()
left_out=()

# check WHAT COMMAND [ARGUMENT…]: runs a check; the others go on when it fails.
check() {
    local what=$1
    shift
    printf '%s\n' "$*"
    "$@" || failed+=("$what")
}

# missing WHAT PROGRAM: notes that there is no such program.
missing() {
    left_out+=("$1: there is no $2")
}

if "$cargo" fmt --version >/dev/null 2>&1; then
    check formatting "$cargo" fmt --all --check
else
    missing formatting rustfmt
fi

if "$cargo" clippy --version >/dev/null 2>&1; then
    check code "$cargo" clippy --locked --workspace --all-targets -- -D warnings
else
    missing code clippy
fi

if command -v mandoc >/dev/null; then
    check 'manual pages' mandoc -T lint -W warning "${pages[@]}"
else
    missing 'manual pages' mandoc
fi

if command -v shellcheck >/dev/null; then
    check scripts shellcheck -x "${scripts[@]}"
else
    missing scripts shellcheck
fi

# `grep -q` ends as soon as it finds the text. What writes to it may then be ended by SIGPIPE, and
# with pipefail the text seems to be missing, once in a while.
no_quiet_pipes() {
    grep -nE '\|[[:space:]]*grep +(-[A-Za-z]+ +)*-[A-Za-z]*q' "${scripts[@]}"
    [ $? -eq 1 ]
}
check 'pipes into grep -q' no_quiet_pipes

if "$cargo" deny --version >/dev/null 2>&1; then
    check dependencies \
        "$cargo" deny --workspace --locked check --hide-inclusion-graph bans licenses sources
    # The database of known faults is a git repository elsewhere. Not every machine reaches it.
    if timeout 120 "$cargo" deny --workspace --locked fetch db >/dev/null 2>&1; then
        check advisories "$cargo" deny --workspace --locked check --disable-fetch advisories
    else
        echo 'lint: advisories not checked: no database'
    fi
else
    missing dependencies cargo-deny
fi

for line in "${left_out[@]}"; do
    printf 'lint: not checked: %s\n' "$line" >&2
done
for what in "${failed[@]}"; do
    printf 'lint: failed: %s\n' "$what" >&2
done
if [ -n "${CI:-}" ] && [ ${#left_out[@]} -gt 0 ]; then
    echo 'lint: in CI every check must run' >&2
    exit 1
fi
[ ${#failed[@]} -eq 0 ]
