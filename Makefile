# The few things that are done with firstmile; `make` alone lists them.

CARGO ?= cargo
# For `make test-board-all`: how often the power is cut, and USB devices are pulled out. For both: only scenarios with this in
# their name.
CUTS ?= 40
PULLS ?= 100
ONLY ?=
# For `make fuzz`: how long each target runs, and which.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= all

.DEFAULT_GOAL := help
.PHONY: help demo test cross deb deny advisories box-check conformance fuzz bench bench-destinations bench-press bench-capture bench-capture-arm bench-peers yocto-crates soak soak-load board-image board-run test-board test-board-all

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST))

demo: ## go live from simulated devices to a server on this machine; without a terminal, for 20 s
	.ci/setup demo
	$(CARGO) build --locked
	@if [ -t 1 ]; then set -- demo; else set -- demo --headless --seconds 20; fi; \
	exec $(CARGO) run --locked --quiet -- "$$@"

test: ## every check: format, lints, tests, examples in the documentation; says how long each took
	.ci/setup test
	@CARGO="$(CARGO)" .ci/test

cross: ## the release binary for 64-bit ARM boards, without containers
	.ci/setup cross
	.ci/cross build

deb: ## Debian packages for this machine's kind and for 64-bit ARM boards, in target/debian (DEB=arm64: one)
	.ci/setup cross
	.ci/deb $(DEB)

box-check: ## build the packages, install one into a clean Debian, run the ARM binary emulated; needs root that may mount
	.ci/setup box-check
	.ci/deb
	.ci/deb-check "$$(ls -t target/debian/*_amd64.deb | head -n 1)"
	.ci/cross-check

deny: ## licences and duplicate versions of what is linked in, against deny.toml
	.ci/setup build
	$(CARGO) fetch --locked --quiet # with what other systems would use, which cargo-deny wants to see
	PATH="$$(.ci/tool cargo-deny):$$PATH" cargo deny --offline --locked check licenses bans sources

advisories: ## known vulnerabilities of what is linked in; fails where their database cannot be had
	.ci/setup build
	.ci/advisories

yocto-crates: ## write the Yocto recipe's list of crates again, after Cargo.lock changed
	FIRSTMILE_BLESS=1 $(CARGO) test --locked --test packaging the_recipe_fetches_the_crates

conformance: ## our client against real servers, probe by probe; writes docs/conformance.md, some 3 minutes
	.ci/setup conformance
	FIRSTMILE_CONFORMANCE=1 FIRSTMILE_BLESS=1 $(CARGO) test --locked --test conformance -- --nocapture --test-threads=1
	@echo; cat docs/conformance.md

fuzz: ## throw bytes at everything that reads bytes (FUZZ_SECONDS for each of FUZZ_TARGETS)
	.ci/setup build
	FUZZ_SECONDS="$(FUZZ_SECONDS)" FUZZ_TARGETS="$(FUZZ_TARGETS)" .ci/fuzz

soak: ## audio and video for ten minutes each with a sound card that is 1 per mille fast and slow
	.ci/setup test
	FIRSTMILE_SOAK_SECONDS=600 $(CARGO) test --locked --test capture one_per_mille -- --nocapture

soak-load: ## ten minutes of audio beside twelve programs that never wait, without and with real-time scheduling
	.ci/setup test
	FIRSTMILE_LOAD_SECONDS=600 $(CARGO) test --locked --test capture on_a_busy_machine -- --nocapture

bench: ## what chunks, AMF0, FLV and a session cost, compared with the run before
	.ci/setup build
	$(CARGO) bench --locked --bench wire

bench-destinations: ## what each further destination costs besides the first; half a minute
	.ci/setup build
	$(CARGO) bench --locked --bench destinations

bench-press: ## from the request to go live until the server has acknowledged, cold and from standby; some 5 minutes
	.ci/setup test
	$(CARGO) bench --locked --bench press

bench-capture: ## capture compared with the bare pipeline with the same encoders; some 4 minutes
	.ci/setup demo
	$(CARGO) bench --locked --bench capture -- $(CAPTURE)

bench-capture-arm: ## the instructions that a frame's way takes in the ARM program, counted by QEMU; some 20 minutes
	.ci/setup bench-arm
	.ci/cross bench

bench-peers: ## publishing compared with ffmpeg, rtmp2sink and the least it can cost; some 6 minutes
	.ci/setup bench
	$(CARGO) bench --locked --bench peers -- $(PEERS)

board-image: ## the emulated board's image: kernel and root file system from Debian's ARM packages, kept outside the tree
	.ci/setup board
	tests/board/image/build

board-run: ## a window on the emulated board: its lights, its button, its console, a stick to plug in
	.ci/setup board
	.ci/board run

test-board: ## the whole box on an emulated ARM board, live to a real server: the fast set; a quarter of an hour the first time
	.ci/setup board
	.ci/board test $(ONLY)

test-board-all: ## every scenario, with the power cut CUTS times in each of three loops, and USB devices pulled out PULLS times
	.ci/setup board
	FIRSTMILE_BOARD_CUTS=$(CUTS) FIRSTMILE_BOARD_PULLS=$(PULLS) .ci/board test-all $(ONLY)
