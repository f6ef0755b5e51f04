# SPDX-License-Identifier: MIT OR GPL-2.0-only
# A thin layer over Meson; what each target does is in scripts/.

BUILD := build

all: ## build the libraries and the command into build/ (the default)
	@scripts/build $(BUILD)

run: ## set up, build, replay a recorded guest (disk, network) through the engine, write build/replay.html
	@scripts/setup build
	@scripts/run $(BUILD)

test: ## set up, then everything: sanitizers, mutants, fuzzers, aarch64, QEMU's IOMMUs, kernel (some 45 minutes)
	@scripts/setup build test kmod vm
	@scripts/test $(BUILD)

check: all ## the developer's loop: the tests on the normal build (at most 2 minutes)
	@meson test -C $(BUILD) --no-rebuild --quiet --print-errorlogs

explore: all ## the engine in all orders of its accesses: the whole (some minutes)
	@$(BUILD)/tests/explore/explore --states 2000000

test-hw: all ## fetch QEMU 11 once, then its models of four vendors' IOMMUs walk the tables (seconds)
	@scripts/test-hw $(BUILD)

kmod: ## set up, then iopt.ko for Debian's Linux 6.12, whose headers are fetched once, into build/kmod/module/
	@scripts/setup kmod
	@scripts/kmod $(BUILD)

test-kmod: ## set up, then the modules in that kernel, booted in QEMU: tests inside, debugfs under load (8 minutes)
	@scripts/setup kmod
	@scripts/test-kmod $(BUILD)

test-kmod-seven: ## the same with Linux 7 of Debian trixie-backports, in build/seven/ (5 minutes; 500 MB)
	@scripts/setup kmod
	@IOPT_KMOD_SERIES=7 scripts/test-kmod $(BUILD)/seven tests debugfs vtd vtd-scalable bench

test-vm: all ## fetch QEMU 11 and kernels once, then guests' memory is decoded, and compared with what their kernels mapped (2 minutes)
	@scripts/setup vm
	@scripts/test-vm $(BUILD)

test-kmod-debug: ## set up, then in two kernels that check themselves, built once: KASAN, KCSAN, lockdep (half an hour, then an hour)
	@scripts/setup kmod kmod-debug
	@scripts/test-kmod-debug $(BUILD)

prove: ## set up, then the protocol under weak memory models, and bounded model checking (some minutes)
	@scripts/setup prove
	@scripts/prove $(BUILD)

bench: all ## measure against the floor, one table
	@meson compile -C $(BUILD) iopt-bench >/dev/null
	@$(BUILD)/bench/iopt-bench

lint: ## set up, then style, headers, freestanding objects, generated code
	@scripts/setup build lint
	@scripts/lint $(BUILD)

format: ## rewrite the C files in the project's style
	@scripts/sources c | xargs clang-format -i

install: all ## install (DESTDIR and meson setup's prefix are honoured)
	@meson install -C $(BUILD) --no-rebuild

clean: ## remove build/
	@rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name what; do printf '  make %-15s %s\n' "$$name" "$$what"; done

.PHONY: all run test check test-hw kmod test-kmod test-kmod-seven test-vm test-kmod-debug prove explore bench lint format install clean help
