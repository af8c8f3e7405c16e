# SPDX-License-Identifier: Apache-2.0
# The front door; Meson does the work. BUILD=directory, MESON_FLAGS=options of meson setup, PREFIX=where to install.
BUILD ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=
WS ?= ws-demo
SANITIZE = -Db_lundef=false -Dwerror=true

.PHONY: all build demo test check-long bench asan tsan fuzz install help dependencies
all: build

help:
	@echo "make              build $(BUILD)/genair and the library"
	@echo "make demo         everything on a small made-up shop: data, models, measurements, a picture"
	@echo "make test         the tests (a minute or two)"
	@echo "make check-long   the long checks as well"
	@echo "make bench        speeds beside the machine's own peak"
	@echo "make asan, tsan   the tests under the address and undefined, or the thread sanitizer"
	@echo "make fuzz         the readers' fuzz targets, FUZZ_SECONDS=60 each"
	@echo "make install      into PREFIX=$(PREFIX) (DESTDIR is respected)"

dependencies:
	@tools/install-dependencies.sh build

$(BUILD)/build.ninja: | dependencies
	meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_FLAGS)

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

test: build
	@tools/run-tests.sh $(BUILD)

check-long: build
	@tools/run-tests.sh $(BUILD) --suite long

demo: build
	@tools/install-dependencies.sh demo || echo "going on without the picture" >&2
	@data/shop/demo.sh $(BUILD) $(WS)

bench: build
	$(BUILD)/genair bench train
	$(BUILD)/genair bench eval

asan tsan: dependencies
	test -e build-$@/build.ninja || meson setup build-$@ $(SANITIZE) $(if $(filter asan,$@),-Db_sanitize=address$(comma)undefined,-Db_sanitize=thread)
	ninja -C build-$@
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1 tools/run-tests.sh build-$@ --timeout-multiplier 10

fuzz: dependencies
	@tools/install-dependencies.sh clang
	@fuzz/run.sh build-fuzz $(or $(FUZZ_SECONDS),60)

install: build
	meson install -C $(BUILD)

comma := ,
