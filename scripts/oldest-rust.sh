#!/bin/sh
# Checks the code with the oldest Rust that is supported: rust-version in Cargo.toml. It fetches no
# toolchain; where that Rust is not installed, one line says so.
set -eu
cd "$(dirname "$0")/.."

oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
target=${CARGO_TARGET_DIR:-target}/oldest

# As rustup names it, as Debian and Ubuntu name it, or as the only one that is here.
for name in "$oldest" "$oldest.0"; do
    if RUSTUP_AUTO_INSTALL=0 rustup run "$name" cargo --version >/dev/null 2>&1; then
        set -- rustup run "$name" cargo
        break
    fi
done
if [ $# -eq 0 ] && command -v "cargo-$oldest" >/dev/null; then
    set -- env RUSTC="rustc-$oldest" "cargo-$oldest"
fi
case $(rustc --version) in
"rustc $oldest".*) [ $# -gt 0 ] || set -- cargo ;;
esac

if [ $# -eq 0 ]; then
    echo "oldest supported Rust: not tried, $oldest is not installed (rustup toolchain install $oldest)"
    exit 0
fi
echo "oldest supported Rust: $("$@" --version)"
exec "$@" check --locked --workspace --all-targets --target-dir "$target"
