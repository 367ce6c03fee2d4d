# The two commands of a newcomer are `make demo` and `make test`; `make help` lists the others.
SWIFT ?= swift
export SWIFT_BACKTRACE ?= enable=no

.PHONY: help demo build test house lint interop bench load soak readme explain fuzz fuzz-replay install deb deb-check clean

help:
	@echo 'make demo      build and play the story of the phone that would not register (FULL=1 for every message)'
	@echo 'make test      build and run all tests'
	@echo 'make build     build bin pinhole (release)'
	@echo 'make explain   build pinhole-explain alone (release)'
	@echo 'make house     which room and file needs which, from the index of the debug build'
	@echo 'make lint      formatting, purity, fuzz corpora of the parsers'
	@echo 'make interop   real programs against pinhole, in network namespaces (root; INTEROP="NAME..." for some)'
	@echo 'make bench     side-by-side measurements'
	@echo 'make load      500 relayed calls for ten minutes (LOAD="--calls 100 --minutes 1")'
	@echo 'make soak      ten minutes of calls and registrations while everything is reloaded (root; SOAK="--minutes 5")'
	@echo 'make readme    every command of README.md, as a newcomer types them (README="--but COMMAND..." for fewer)'
	@echo 'make fuzz      five minutes of libFuzzer for each parser (FUZZ_SECONDS=n), twice that for whole nodes'
	@echo 'make install   put pinhole, man page and completions below PREFIX (default /usr/local)'
	@echo 'make deb       Debian packages that need no Swift, into out/'
	@echo 'make deb-check prove them: symbols, lintian, install, upgrade and purge in a fresh Debian folder (root)'

# Not optimised: that is built in half the time, and `make test` goes on from it (docs/decisions/0017-first-build.md).
demo:
	@scripts/require swift
	$(SWIFT) build --product pinhole-demo
	@echo
	@$$($(SWIFT) build --show-bin-path)/pinhole-demo $(if $(FULL),--full)

# The analyser alone: no server, no database.
explain:
	@scripts/require swift zlib1g-dev libarchive-dev libssl-dev
	$(SWIFT) build -c release --product pinhole-explain

# What is built against; what is loaded at run time where it is there (Opus, G.722, ALSA, a voice) is not needed for that.
LIBRARIES = libsqlite3-dev libsrtp2-dev zlib1g-dev libarchive-dev libssl-dev

build:
	@scripts/require swift $(LIBRARIES)
	$(SWIFT) build -c release --product pinhole

test:
	@scripts/require swift $(LIBRARIES) libopus0 libspandsp2 espeak-ng
	$(SWIFT) test --disable-xctest

# After `make test`, which leaves the index.
house:
	@scripts/require swift python3
	@scripts/house

lint:
	@scripts/require swift python3
	@scripts/lint

interop: build
	@scripts/require sip-tester sipsak baresip linphone-cli kamailio tshark nftables coturn twinkle-console janus gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good iproute2 python3 python3-venv chromium espeak-ng libopus0 libspandsp2 fail2ban openssl strace systemd prometheus sngrep udhcpc dnsmasq-base stun-client pip:pyVoIP pip:pystun3=stun
	@scripts/interop $(INTEROP)

bench: build
	@scripts/bench

load: build
	@scripts/require sip-tester python3
	@scripts/load-calls $(LOAD)

soak: build
	@scripts/require sip-tester python3 openssl
	@scripts/soak $(SOAK)

readme:
	@scripts/require swift python3 iproute2
	@scripts/readme $(README)

fuzz:
	@scripts/fuzz run

fuzz-replay:
	@scripts/fuzz replay

PREFIX ?= /usr/local
install: build
	@scripts/require python3
	scripts/install-files $$($(SWIFT) build -c release --show-bin-path)/pinhole $(DESTDIR)$(PREFIX)

deb:
	@scripts/require swift $(LIBRARIES) python3 binutils chrpath dpkg-dev
	@scripts/deb

deb-check:
	@scripts/require swift $(LIBRARIES) python3 binutils chrpath dpkg-dev gdb iproute2 lintian debootstrap mandoc groff-base zsh fish
	@scripts/deb-check

clean:
	$(SWIFT) package clean
	rm -rf Benchmarks/.build Fuzz/.build
