# SPDX-License-Identifier: GPL-3.0-or-later
# make run     installs what is missing, builds, starts: the window, or without a display a broadcast of the test card
# make test    installs what the tests need, and runs every check there is
# make bench   measures; ONLY="webrtc http formats launch join frames" chooses
# make install, make uninstall     with PREFIX and DESTDIR
# make check   desktop file, metainfo and translations         make pot     collects texts for translators

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
languages = $(shell sed 's/\#.*//' po/LINGUAS)

.PHONY: run build test bench install uninstall check pot data
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

tests/web/node_modules/.package-lock.json: tests/web/package.json tests/web/package-lock.json
	cd tests/web && npm ci --silent
	touch $@

bench:
	scripts/prepare test
	$(CARGO) bench --locked --bench whole -- $(ONLY)

# Desktop file and metainfo with their translations.
data:
	mkdir -p $(made)
	msgfmt --desktop --template=data/$(id).desktop.in -d po -o $(made)/$(id).desktop
	msgfmt --xml --template=data/$(id).metainfo.xml.in -d po -o $(made)/$(id).metainfo.xml

check: data
	desktop-file-validate $(made)/$(id).desktop
	appstreamcli validate --no-net $(made)/$(id).metainfo.xml
	for l in $(languages); do msgfmt --check -o /dev/null po/$$l.po || exit 1; done

install: data
	[ -x $(bin) ] || $(MAKE) --no-print-directory build
	install -Dm755 $(bin) $(DESTDIR)$(PREFIX)/bin/aerial
	install -Dm644 $(made)/$(id).desktop $(share)/applications/$(id).desktop
	install -Dm644 $(made)/$(id).metainfo.xml $(share)/metainfo/$(id).metainfo.xml
	install -Dm644 data/$(id).svg $(share)/icons/hicolor/scalable/apps/$(id).svg
	install -Dm644 data/$(id)-symbolic.svg $(share)/icons/hicolor/symbolic/apps/$(id)-symbolic.svg
	for l in $(languages); do \
	  mkdir -p $(share)/locale/$$l/LC_MESSAGES && msgfmt po/$$l.po -o $(share)/locale/$$l/LC_MESSAGES/aerial.mo || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/aerial $(share)/applications/$(id).desktop $(share)/metainfo/$(id).metainfo.xml \
	  $(share)/icons/hicolor/scalable/apps/$(id).svg $(share)/icons/hicolor/symbolic/apps/$(id)-symbolic.svg \
	  $(foreach l,$(languages),$(share)/locale/$(l)/LC_MESSAGES/aerial.mo)

pot:
	xgettext --from-code=UTF-8 --package-name=Aerial --keyword=gettext --keyword=ngettext:1,2 --keyword=pgettext:1c,2 --add-comments=Translators \
	  --files-from=po/POTFILES --output=po/aerial.pot
