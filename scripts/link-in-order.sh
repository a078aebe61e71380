#!/usr/bin/env bash
# The linker of the program: cc, which puts the functions that hooks call one beside the other.
#
#   scripts/link-in-order.sh ARGUMENT…     the arguments are those of cc
#
# The kernel maps a program piece by piece, when something in a piece is used. In the order of the
# source, what a hook calls is spread over nearly all of them. `make order` finds out what that is.
# Only LLD can do this. With another linker, the program is linked as it is.
set -euo pipefail

case " $* " in
*' -fuse-ld=lld '*) ;;
*) exec cc "$@" ;;
esac

list=${BASH_SOURCE[0]%/*}/functions-of-hooks.txt
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

objects=()
for argument; do
    case $argument in
    *.o | *.rlib | *.a) [ ! -f "$argument" ] || objects+=("$argument") ;;
    esac
done

# The list has names as c++filt shows them, because the symbols contain hashes that change. An rlib
# also contains a file that nm does not know, so nm's exit status says nothing.
{ nm -p --defined-only "${objects[@]}" 2>/dev/null || true; } |
    awk 'NF == 3 { print $3 }' | sort -u >"$scratch/symbols"
c++filt --no-verbose <"$scratch/symbols" >"$scratch/shown"
paste "$scratch/shown" "$scratch/symbols" >"$scratch/named"

# A name without `::` may be in the C library, which is not among the objects.
awk -F '\t' '
    NR == FNR { symbols[$1] = symbols[$1] $2 "\n"; next }
    $1 in symbols { printf "%s", symbols[$1]; found = 1; next }
    !/::/ { print }
    END { exit !found }
' "$scratch/named" "$list" >"$scratch/order" || {
    echo "link-in-order: none of the functions in $list is in ${objects[*]}" >&2
    echo 'link-in-order: run make order, and commit what it changes' >&2
    exit 1
}
cc "$@" "-Wl,--symbol-ordering-file=$scratch/order" -Wl,--no-warn-symbol-ordering
