# deploy-by-code: `make help` lists what there is to make.

CARGO ?= cargo
INSTALL ?= install
DEMO_DIR ?= demo
DESTDIR ?=
prefix ?= /usr/local
bindir = $(prefix)/bin
datadir = $(prefix)/share
docdir = $(datadir)/doc/deploy-by-code
mandir = $(datadir)/man
hookdir = $(datadir)/deploy-by-code/hooks

target = $(or $(CARGO_TARGET_DIR),target)
binary = $(target)/release/deploy-by-code
notifier = $(binary)-notify
page = $(binary)-web
hooks = pre-receive post-receive reference-transaction
# Where Cargo.toml names them, whatever CARGO_TARGET_DIR says.
pages = target/man
man1 = packaging/man/deploy-by-code.1 packaging/man/deploy-by-code-notify.1 \
	packaging/man/deploy-by-code-web.1 packaging/man/git-deploy.1
man5 = packaging/man/deploy-by-code.toml.5 packaging/man/deploy-files.5
oldest_rust = $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)

# Tools that are installed with cargo. Unoptimised they compile in half the time and work as well,
# and without debug information in nine tenths of that.
cargo_deb = 3.8.0
cargo_deny = 0.20.2
cargo_install = env CARGO_PROFILE_DEV_DEBUG=false $(CARGO) install --quiet --locked --debug

# Most tests wait most of the time: for a grace, a limit, another process.
test_threads = $(or $(RUST_TEST_THREADS),$(shell expr 2 '*' $$(nproc)))

timed = @scripts/timed.sh
released = $(shell sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)
epoch = $(shell date -u -d '$(released)' +%s)
cargo_home = $${CARGO_HOME:-$$HOME/.cargo}
remap = --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(cargo_home)=/cargo
package_flags = env SOURCE_DATE_EPOCH=$(epoch) RUSTFLAGS="$$RUSTFLAGS $(remap)"

.DEFAULT_GOAL := all

# What is called for every push starts in half the time without a dynamic linker and without
# relocations. It uses nothing of the C library that needs others at run time (src/sys/accounts).
static = -C target-feature=+crt-static -C relocation-model=static
ordered = -C linker='$(CURDIR)/scripts/link-in-order.sh'
# Nothing waits for these to start, and so they need not be as small as possible.
thin = -C lto=thin -C codegen-units=16
# The programs share the compiled library: only how each is linked is its own.
build = $(package_flags) $(CARGO) rustc --release --locked

all: need-compilers ## build the release binaries (the default)
	$(timed) 'release build' $(build) --bin deploy-by-code -- $(static) $(ordered)
	$(timed) 'deploy-by-code-notify' $(build) --package deploy-by-code-notify -- $(thin)
	$(timed) 'deploy-by-code-web' $(build) --package deploy-by-code-web -- $(thin)

demo: all ## deploy something with a real git push, in ./demo or DEMO_DIR
	$(timed) demonstration scripts/demo.sh --binary '$(binary)' '$(DEMO_DIR)'

demo-web: demo ## the same, and then show it on a page until Ctrl-C
	'$(page)' --listen 127.0.0.1:0 '$(DEMO_DIR)/git/deploys.git'

# The package is the same bit for bit wherever it is built: no path of this machine gets into it,
# and its times are those of its changelog.
deb: all deb-tools ## build the Debian package, in target/debian; installs a missing cargo-deb
	$(timed) 'program for manual pages' $(build) --package manpages -- $(thin) -C opt-level=0
	strip --remove-section=.comment '$(binary)' '$(notifier)' '$(page)'
	rm -rf '$(pages)'
	'$(target)/release/manpages' '$(pages)'
	$(timed) packing $(package_flags) $(CARGO) deb --no-build --locked

deb-tools: need-compilers ## install what the package is built with: cargo-deb
	@$(CARGO) deb --version >/dev/null 2>&1 || \
		scripts/timed.sh 'cargo-deb' $(cargo_install) --version $(cargo_deb) cargo-deb

lint-deb: deb ## check the Debian package with lintian
	$(timed) lintian lintian --allow-root --pedantic --display-info --display-experimental \
		--fail-on pedantic,info,warning,error '$(target)'/debian/*.deb

test-deb: deb ## try the Debian package in fresh machines, also booted with systemd (root)
	scripts/test-deb.sh "$$(ls '$(target)'/debian/*.deb | tail -n 1)" \
		chroot shells piuparts autopkgtest units hosts page

test: ## run every test; as root on Debian it first installs the packages that they need
	scripts/test-packages.sh
	$(timed) 'compiling programs and tests' $(CARGO) build --locked --bins --tests
	$(timed) tests env RUST_TEST_THREADS=$(test_threads) $(CARGO) test --locked

torture: ## let every system call fail, and kill at each: hours; a sample is part of test
	scripts/test-packages.sh
	$(timed) torture $(CARGO) test --locked --test torture -- --whole

bench: all ## measure the speed; CASES=… some cases, ARGS=--quick; see docs/performance.md
	benches/bench.py --binary '$(binary)' --target '$(target)' $(ARGS) $(CASES)

bench-instructions: all ## count instructions against a baseline; BASELINE=new renews it
	$(timed) 'counting instructions' benches/instructions.py --binary '$(binary)' \
		$(if $(BASELINE),--$(BASELINE)) $(CASES)

order: need-compilers ## find out again which functions hooks call, for the linker; needs valgrind
	$(build) --bin deploy-by-code -- $(static) -C strip=none
	benches/instructions.py --binary '$(binary)' --functions scripts/functions-of-hooks.txt \
		transaction_of_others other_branch nothing_ours transaction_of_the_branch one judged
	touch src/main.rs

lint: need-compilers ## check formatting, code, man pages, scripts and dependencies
	$(timed) lint scripts/lint.sh

lint-tools: need-compilers ## install what lint needs: Debian packages (as root) and cargo-deny
	scripts/test-packages.sh mandoc mandoc shellcheck shellcheck
	@$(CARGO) deny --version >/dev/null 2>&1 || \
		scripts/timed.sh 'cargo-deny' $(cargo_install) --version $(cargo_deny) cargo-deny

oldest: need-compilers ## check the code with the oldest supported Rust, if it is installed
	$(timed) 'oldest supported Rust' scripts/oldest-rust.sh

fmt: ## format the code
	$(CARGO) fmt --all

install: $(binary) $(notifier) $(page) ## install into DESTDIR and prefix (/usr/local); run make first
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(hookdir)' '$(DESTDIR)$(docdir)/docs/hosts' \
		'$(DESTDIR)$(docdir)/docs/recipes' '$(DESTDIR)$(docdir)/docs/images' \
		'$(DESTDIR)$(mandir)/man1' '$(DESTDIR)$(mandir)/man5'
	for program in '$(binary)' '$(notifier)' '$(page)'; do \
		to='$(DESTDIR)$(bindir)/'$$(basename "$$program") && \
		$(INSTALL) -m 755 "$$program" "$$to.new" && mv -f "$$to.new" "$$to" || exit 1; \
	done
	for hook in $(hooks); do \
		sed '1s|/usr/bin/|$(bindir)/|' hooks/$$hook >'$(DESTDIR)$(hookdir)/'$$hook.new && \
		chmod 755 '$(DESTDIR)$(hookdir)/'$$hook.new && \
		mv -f '$(DESTDIR)$(hookdir)/'$$hook.new '$(DESTDIR)$(hookdir)/'$$hook || exit 1; \
	done
	$(INSTALL) -m 644 $(man1) '$(DESTDIR)$(mandir)/man1'
	$(INSTALL) -m 644 $(man5) '$(DESTDIR)$(mandir)/man5'
	$(INSTALL) -m 644 README.md CHANGELOG.md packaging/config.toml '$(DESTDIR)$(docdir)'
	$(INSTALL) -m 644 docs/*.md '$(DESTDIR)$(docdir)/docs'
	$(INSTALL) -m 644 docs/hosts/*.md '$(DESTDIR)$(docdir)/docs/hosts'
	$(INSTALL) -m 644 docs/recipes/*.md '$(DESTDIR)$(docdir)/docs/recipes'
	$(INSTALL) -m 644 docs/images/*.png '$(DESTDIR)$(docdir)/docs/images'
	ln -sfn deploy-by-code '$(DESTDIR)$(bindir)/git-deploy'
	$(INSTALL) -D -m 644 packaging/completions/deploy-by-code.bash \
		'$(DESTDIR)$(datadir)/bash-completion/completions/deploy-by-code'
	$(INSTALL) -D -m 644 packaging/completions/_deploy-by-code \
		'$(DESTDIR)$(datadir)/zsh/site-functions/_deploy-by-code'
	$(INSTALL) -D -m 644 packaging/completions/deploy-by-code.fish \
		'$(DESTDIR)$(datadir)/fish/vendor_completions.d/deploy-by-code.fish'
	$(INSTALL) -m 644 packaging/completions/git-deploy.bash \
		'$(DESTDIR)$(datadir)/bash-completion/completions/git-deploy'
	$(INSTALL) -m 644 packaging/completions/_git-deploy \
		'$(DESTDIR)$(datadir)/zsh/site-functions/_git-deploy'
	$(INSTALL) -m 644 packaging/completions/git-deploy.fish \
		'$(DESTDIR)$(datadir)/fish/vendor_completions.d/git-deploy.fish'
	$(INSTALL) -D -m 644 packaging/completions/git-deploy.conf.fish \
		'$(DESTDIR)$(datadir)/fish/vendor_conf.d/git-deploy.fish'

# Only when there is none: root, who installs, often has no Rust toolchain and should not build in
# the folder of another user.
$(binary) $(notifier) $(page):
	$(MAKE) all

clean: ## remove what was built, and ./demo
	$(CARGO) clean
	scripts/demo.sh --remove '$(DEMO_DIR)'

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

need-compilers:
	@command -v $(CARGO) >/dev/null || { \
		echo 'cargo is not in PATH: install a Rust toolchain (package rustup, or cargo' >&2; \
		echo 'where it is at least $(oldest_rust))' >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo 'there is no C compiler (cc): install the packages gcc and libc6-dev' >&2; exit 1; }

.PHONY: all demo demo-web deb deb-tools lint-deb test-deb test bench bench-instructions order lint \
	lint-tools oldest fmt install clean help need-compilers
