# Builds, tests and installs deploy-by-code. `make help` lists the targets.

CARGO ?= cargo
INSTALL ?= install
DEMO_DIR ?= demo
DESTDIR ?=
prefix ?= /usr/local
bindir = $(prefix)/bin
datadir = $(prefix)/share
docdir = $(datadir)/doc/deploy-by-code
mandir = $(datadir)/man

target = $(or $(CARGO_TARGET_DIR),target)
binary = $(target)/release/deploy-by-code
hooks = pre-receive post-receive reference-transaction
# Cargo.toml names this folder, so it does not follow CARGO_TARGET_DIR.
pages = target/man
man1 = packaging/man/deploy-by-code.1
man5 = packaging/man/deploy-by-code.toml.5 packaging/man/deploy-files.5
scripts = packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm packaging/completions/deploy-by-code.bash \
	.ci/run scripts/demo.sh scripts/test-packages.sh scripts/test-deb.sh tests/deb/boot.sh tests/deb/chroot.sh tests/deb/shells.sh tests/deb/units.sh tests/deb/units-rebooted.sh tests/deb/hosts.sh benches/history.sh

cargo_deb = 3.8.0
epoch = $(shell date -u -d "$$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s)
package_flags = SOURCE_DATE_EPOCH=$(epoch) \
	RUSTFLAGS="$$RUSTFLAGS --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo"

.DEFAULT_GOAL := all

all: need-compilers ## build the release binary (the default)
	$(package_flags) $(CARGO) build --release --locked

demo: all ## deploy something with a real git push, in ./demo or DEMO_DIR
	scripts/demo.sh --binary '$(binary)' '$(DEMO_DIR)'

# The package is the same, bit for bit, wherever it is built. No path of the building machine gets
# into it, and its times are those of its changelog.
deb: all ## build the Debian package in target/debian; install cargo-deb if it is missing
	@command -v cargo-deb >/dev/null || { \
		echo '$(CARGO) install --locked cargo-deb'; $(CARGO) install --quiet --locked --version $(cargo_deb) cargo-deb; }
	strip --remove-section=.comment '$(binary)'
	rm -rf '$(pages)'
	$(CARGO) run --quiet --locked --example manpages -- '$(pages)'
	$(package_flags) PATH="$$PATH:$${CARGO_HOME:-$$HOME/.cargo}/bin" $(CARGO) deb --no-build --locked

lint-deb: deb ## check the Debian package with lintian
	lintian --allow-root --pedantic --display-info --display-experimental --fail-on pedantic,info,warning,error '$(target)'/debian/*.deb

test-deb: deb ## test the Debian package in fresh machines: install, upgrade, remove, systemd (root)
	scripts/test-deb.sh "$$(ls '$(target)'/debian/*.deb | tail -n 1)" chroot shells piuparts autopkgtest units hosts

test: ## run every test; as root on Debian, first install the packages that the tests need
	scripts/test-packages.sh
	$(CARGO) test --locked

lint: need-compilers ## check formatting, code (clippy), man pages and scripts
	@if $(CARGO) fmt --version >/dev/null 2>&1; then \
		echo '$(CARGO) fmt --check'; $(CARGO) fmt --check; \
	else echo 'lint: no rustfmt here, formatting not checked'; fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
		echo '$(CARGO) clippy'; $(CARGO) clippy --locked --all-targets -- -D warnings; \
	else echo 'lint: no clippy here, code not checked'; fi
	@if command -v mandoc >/dev/null; then \
		echo 'mandoc -T lint -W warning $(man1) $(man5)'; mandoc -T lint -W warning $(man1) $(man5); \
	else echo 'lint: no mandoc here, man pages not checked'; fi
	@if command -v shellcheck >/dev/null; then \
		echo 'shellcheck -x $(scripts)'; shellcheck -x $(scripts); \
	else echo 'lint: no shellcheck here, scripts not checked'; fi

fmt: ## format the code
	$(CARGO) fmt

install: $(binary) ## install under DESTDIR and prefix (/usr/local); run make first
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(datadir)/deploy-by-code/hooks' '$(DESTDIR)$(docdir)' \
		'$(DESTDIR)$(mandir)/man1' '$(DESTDIR)$(mandir)/man5'
	$(INSTALL) -m 755 '$(binary)' '$(DESTDIR)$(bindir)/deploy-by-code.new'
	mv -f '$(DESTDIR)$(bindir)/deploy-by-code.new' '$(DESTDIR)$(bindir)/deploy-by-code'
	for hook in $(hooks); do \
		ln -sfn ../../../bin/deploy-by-code '$(DESTDIR)$(datadir)/deploy-by-code/hooks/'$$hook || exit 1; \
	done
	$(INSTALL) -m 644 $(man1) '$(DESTDIR)$(mandir)/man1'
	$(INSTALL) -m 644 $(man5) '$(DESTDIR)$(mandir)/man5'
	$(INSTALL) -m 644 README.md CHANGELOG.md packaging/config.toml '$(DESTDIR)$(docdir)'
	$(INSTALL) -d '$(DESTDIR)$(docdir)/docs/hosts'
	$(INSTALL) -m 644 docs/*.md '$(DESTDIR)$(docdir)/docs'
	$(INSTALL) -m 644 docs/hosts/*.md '$(DESTDIR)$(docdir)/docs/hosts'
	$(INSTALL) -D -m 644 packaging/completions/deploy-by-code.bash '$(DESTDIR)$(datadir)/bash-completion/completions/deploy-by-code'
	$(INSTALL) -D -m 644 packaging/completions/_deploy-by-code '$(DESTDIR)$(datadir)/zsh/site-functions/_deploy-by-code'
	$(INSTALL) -D -m 644 packaging/completions/deploy-by-code.fish '$(DESTDIR)$(datadir)/fish/vendor_completions.d/deploy-by-code.fish'

# This builds the binary only if there is none. Root, who installs, often has no Rust toolchain, and
# should not build in a folder of another user.
$(binary):
	$(CARGO) build --release --locked

clean: ## remove what was built, and ./demo
	$(CARGO) clean
	scripts/demo.sh --remove '$(DEMO_DIR)'

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

need-compilers:
	@command -v $(CARGO) >/dev/null || { \
		echo 'cargo is not in PATH: install a Rust toolchain (package rustup, or cargo where it is new enough)' >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo 'there is no C compiler (cc): install the packages gcc and libc6-dev' >&2; exit 1; }

.PHONY: all demo deb lint-deb test-deb test lint fmt install clean help need-compilers
