# SPDX-License-Identifier: GPL-3.0-or-later
# make run     installs what is missing, builds, starts: the window, or without a display a broadcast of the test card
# make test    installs what the tests need, and runs every check there is
# make bench   measures; ONLY="webrtc http formats launch sources list start smooth join frames crowds" chooses
# make screenshots     takes pictures of every page of the window
# make install, make uninstall     with PREFIX and DESTDIR
# make check   desktop file, metainfo, manifest and translations     make pot     collects texts for translators
# make deb, make flatpak, make dist    packages and the sources of a release, in target/: see docs/releasing.md

PREFIX ?= /usr/local
DESTDIR ?=
# dev or release
PROFILE ?= release
CARGO ?= cargo
ONLY ?=

id := io.github.aerial_live.Aerial
target := $(or $(CARGO_TARGET_DIR),target)
bin = $(target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/aerial
share = $(DESTDIR)$(PREFIX)/share
made := $(target)/data
zsh ?= zsh/site-functions
# Where no desktop looks for programs by itself, their place is told.
program = $(if $(filter /usr /usr/local /app,$(PREFIX)),aerial,$(PREFIX)/bin/aerial)
languages = $(shell sed 's/\#.*//' po/LINGUAS)

collect = xgettext --from-code=UTF-8 --package-name=Aerial --keyword=gettext --keyword=ngettext:1,2 \
  --keyword=pgettext:1c,2 --add-comments=Translators --files-from=po/POTFILES --output=$(1)

.PHONY: run build test bench screenshots install uninstall check pot data deb flatpak dist
.NOTPARALLEL:

run:
	scripts/prepare run
	$(MAKE) --no-print-directory build
	@if [ -n "$$WAYLAND_DISPLAY$$DISPLAY" ]; then exec $(bin); \
	else exec $(bin) live --video test --audio tone --listen 127.0.0.1:8080; fi

build:
	$(CARGO) build --locked --profile $(PROFILE)

# Cheapest first. The desktop is there for the tests of widgets; stories start their own.
test:
	scripts/prepare test
	$(CARGO) fmt --check
	$(MAKE) --no-print-directory tests/web/node_modules/.package-lock.json
	$(CARGO) test --locked --no-default-features --lib --test tidy
	$(CARGO) clippy --locked --all-targets -- -D warnings
	tests/bed/desktop-session --no-media --no-portal --no-keyring -- $(CARGO) test --locked
	$(MAKE) --no-print-directory check
	scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && set -- PROFILE=dev PREFIX=/usr DESTDIR="$$scratch" && \
	  $(MAKE) --no-print-directory install "$$@" && "$$scratch/usr/bin/aerial" --version && "$$scratch/usr/bin/aerial" check && \
	  $(MAKE) --no-print-directory uninstall "$$@" && [ -z "$$(find "$$scratch" -type f)" ]
	! command -v dpkg-shlibdeps >/dev/null || scripts/make-deb --check
	SEED=1 scripts/fuzz

tests/web/node_modules/.package-lock.json: tests/web/package.json tests/web/package-lock.json
	cd tests/web && npm ci --silent
	touch $@

bench:
	scripts/prepare test
	$(CARGO) bench --locked --bench whole -- $(ONLY)

# The whole window, page by page, into target/screenshots.
screenshots:
	scripts/prepare test
	$(CARGO) build --locked
	scripts/screenshots

# Desktop file and metainfo with their translations.
data:
	mkdir -p $(made)
	msgfmt --desktop --template=data/$(id).desktop.in -d po -o $(made)/$(id).desktop
	msgfmt --xml --template=data/$(id).metainfo.xml.in -d po -o $(made)/$(id).metainfo.xml
	sed -i 's|^Exec=aerial|Exec=$(program)|' $(made)/$(id).desktop
	sed 's|@bindir@|$(PREFIX)/bin|' data/$(id).service.in >$(made)/$(id).service

check: data
	desktop-file-validate $(made)/$(id).desktop
	appstreamcli validate --no-net $(made)/$(id).metainfo.xml
	$(call collect,$(made)/aerial.pot) 2>/dev/null
	# Well-formed, and complete: each text that there is has its words in each language.
	for l in $(languages); do msgfmt --check -o /dev/null po/$$l.po && msgcmp po/$$l.po $(made)/aerial.pot || exit 1; done
	flatpak/check

# Man pages and completions are written by the program itself, so they cannot tell of another one.
install: data
	[ -x $(bin) ] || $(MAKE) --no-print-directory build
	rm -rf $(made)/manual && $(bin) --write-manual $(made)/manual
	install -Dm755 $(bin) $(DESTDIR)$(PREFIX)/bin/aerial
	install -Dm644 $(made)/$(id).desktop $(share)/applications/$(id).desktop
	install -Dm644 $(made)/$(id).metainfo.xml $(share)/metainfo/$(id).metainfo.xml
	install -Dm644 $(made)/$(id).service $(share)/dbus-1/services/$(id).service
	install -Dm644 data/$(id).mime.xml $(share)/mime/packages/$(id).xml
	install -Dm644 data/$(id).svg $(share)/icons/hicolor/scalable/apps/$(id).svg
	install -Dm644 data/$(id)-symbolic.svg $(share)/icons/hicolor/symbolic/apps/$(id)-symbolic.svg
	install -Dm644 -t $(share)/man/man1 $(made)/manual/*.1
	install -Dm644 $(made)/manual/aerial.bash $(share)/bash-completion/completions/aerial
	install -Dm644 $(made)/manual/aerial.fish $(share)/fish/vendor_completions.d/aerial.fish
	install -Dm644 $(made)/manual/_aerial $(share)/$(zsh)/_aerial
	for l in $(languages); do \
	  mkdir -p $(share)/locale/$$l/LC_MESSAGES && msgfmt po/$$l.po -o $(share)/locale/$$l/LC_MESSAGES/aerial.mo || exit 1; done
	$(tell-desktop)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/aerial $(share)/applications/$(id).desktop $(share)/metainfo/$(id).metainfo.xml \
	  $(share)/dbus-1/services/$(id).service $(share)/mime/packages/$(id).xml \
	  $(share)/icons/hicolor/scalable/apps/$(id).svg $(share)/icons/hicolor/symbolic/apps/$(id)-symbolic.svg \
	  $(foreach c,aerial aerial-live aerial-devices aerial-check,$(share)/man/man1/$(c).1) $(share)/bash-completion/completions/aerial \
	  $(share)/fish/vendor_completions.d/aerial.fish $(share)/$(zsh)/_aerial \
	  $(foreach l,$(languages),$(share)/locale/$(l)/LC_MESSAGES/aerial.mo)
	$(tell-desktop)

# What desktops keep of all applications together. Packages have it done by their system.
define tell-desktop
[ -n "$(DESTDIR)" ] || for t in "update-desktop-database -q $(share)/applications" "update-mime-database $(share)/mime" \
  "gtk-update-icon-cache -qtf $(share)/icons/hicolor"; do ! command -v $${t%% *} >/dev/null || $$t >/dev/null || exit 1; done
endef

deb:
	$(MAKE) --no-print-directory build
	PROFILE=$(PROFILE) scripts/make-deb

flatpak:
	flatpak/build-local --bundle

dist:
	scripts/make-dist

pot:
	$(call collect,po/aerial.pot)
