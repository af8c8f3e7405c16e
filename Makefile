# SPDX-License-Identifier: Apache-2.0
# The front door; Meson does the work. BUILD=directory, MESON_FLAGS=options of meson setup, PREFIX=where to install.
BUILD ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=
WS ?= ws-demo
SANITIZE = -Db_lundef=false -Dwerror=true

.PHONY: all build demo model test test-dependencies check-long bench asan tsan valgrind fuzz fuzz-long lint lint-deep cross-aarch64 deb try-deb reproducible sbom install help dependencies
all: build

help:
	@echo "make              build $(BUILD)/genair and the library"
	@echo "make demo         everything on a small made-up shop: data, models, measurements, a picture"
	@echo "make model        train the bundled language model anew (data/model)"
	@echo "make test         the tests (a minute or two)"
	@echo "make check-long   the long checks as well"
	@echo "make bench        speeds beside the machine's own peak"
	@echo "make asan, tsan   the tests under the address and undefined, or the thread sanitizer"
	@echo "make valgrind     the test programs under valgrind"
	@echo "make fuzz         the readers' fuzz targets, FUZZ_SECONDS=60 each; fuzz-long: an hour each"
	@echo "make lint         static analysis of the sources"
	@echo "make lint-deep    clang-tidy and gcc -fanalyzer on them, minutes of every processor"
	@echo "make cross-aarch64  a build for aarch64, its tests under qemu-user"
	@echo "make deb          Debian packages in $(BUILD)-deb, looked at by lintian"
	@echo "make try-deb      they are installed, used, upgraded and purged in a fresh Debian (root)"
	@echo "make reproducible  what is installed and the packages, built twice elsewhere: the same bytes?"
	@echo "make sbom         $(BUILD)/genair.cdx.json: what the program is made of and with (CycloneDX)"
	@echo "make install      into PREFIX=$(PREFIX) (DESTDIR is respected)"

dependencies:
	@tools/install-dependencies.sh build library

$(BUILD)/build.ninja: | dependencies
	meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_FLAGS)

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

test: test-dependencies
	@$(MAKE) --no-print-directory build
	@tools/run-tests.sh $(BUILD)

# Open MPI is for the library, too: one that was configured without it looks again
test-dependencies: dependencies
	@tools/install-dependencies.sh test || echo "going on without the tests that read JSON" >&2
	@tools/install-dependencies.sh mpi || echo "going on without training in several processes" >&2
	@test ! -e $(BUILD)/build.ninja || meson introspect --dependencies $(BUILD) | grep -q '"ompi-c"' || meson setup --reconfigure $(BUILD)

check-long: test-dependencies
	@$(MAKE) --no-print-directory build
	@tools/install-dependencies.sh slurm two-hosts || echo "going on without Slurm and two hosts" >&2
	@tools/run-tests.sh $(BUILD) --suite long

demo: build
	@tools/install-dependencies.sh demo || echo "going on without the picture" >&2
	@data/shop/demo.sh $(BUILD) $(WS)

model: build
	$(BUILD)/genair-model data/model data/model/archetype-tiny.gguf

# BENCH_WS=directory of a workspace of your own, with fused vectors; else one of the made-up shop
bench: build
ifndef BENCH_WS
	$(BUILD)/genair-shop $(BUILD)/bench/shop 8000
	$(BUILD)/genair prepare -q -w $(BUILD)/bench --interactions $(BUILD)/bench/shop/interactions.tsv --items $(BUILD)/bench/shop/items.jsonl >/dev/null
	$(BUILD)/genair embed -q -w $(BUILD)/bench --prefill $(BUILD)/bench/shop/prefill.npy --decoding $(BUILD)/bench/shop/decoding.npy --ids $(BUILD)/bench/shop/vectors.ids >/dev/null
	$(BUILD)/genair fuse -q -w $(BUILD)/bench >/dev/null
endif
	$(BUILD)/genair bench train -w $(or $(BENCH_WS),$(BUILD)/bench) --method genair
	$(BUILD)/genair bench train -w $(or $(BENCH_WS),$(BUILD)/bench) --method base
	$(BUILD)/genair bench eval -w $(or $(BENCH_WS),$(BUILD)/bench)

asan tsan: dependencies
	test -e build-$@/build.ninja || meson setup build-$@ $(SANITIZE) $(if $(filter asan,$@),-Db_sanitize=address$(comma)undefined,-Db_sanitize=thread)
	ninja -C build-$@
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:suppressions=$(CURDIR)/tools/tsan.suppressions tools/run-tests.sh build-$@ --timeout-multiplier 10

# Test programs, not scripts; VALGRIND_SKIP=names of tests that would take hours, or whose children and own operator new confuse it.
VALGRIND_SKIP ?= ^(golden/(07|lm/models)|lm/(sampler|adapted|engine|tokenizer$$)|tune/scft|base/blas|algebra/pca|tensor/gemm|model/(packing|cities|melt|llm_esr)|prepare/(prepare|kill)|ranking/lists_memory)
valgrind: build
	@tools/install-dependencies.sh valgrind
	@meson introspect --tests $(BUILD) | jq -r '.[] | select(.cmd[0] | test("/(ba)?sh$$|python") | not) | .name' | grep -vE '$(VALGRIND_SKIP)' | \
	    xargs -d '\n' tools/run-tests.sh $(BUILD) --no-rebuild --timeout-multiplier 40 \
	    --wrapper 'valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99'

fuzz: dependencies
	@tools/install-dependencies.sh clang
	@fuzz/run.sh build-fuzz $(or $(FUZZ_SECONDS),60)

fuzz-long:
	@$(MAKE) fuzz FUZZ_SECONDS=3600

# No PostgreSQL: libpq-dev can be installed for one architecture alone. CROSS_SKIP=names of tests that would take hours under qemu;
# CROSS_SKIP=none runs all, the scripts too.
CROSS_SKIP ?= ^(cli/|train/(kill|methods|scft)|tune/scft|golden/lm/models)
cross-aarch64:
	@tools/install-dependencies.sh build library library:arm64 cross-aarch64
	test -e build-aarch64/build.ninja || meson setup build-aarch64 --cross-file packaging/aarch64.ini -Dwerror=true -Dpostgres=disabled
	ninja -C build-aarch64
	@meson test -C build-aarch64 --list | sed -n 's,^genair[^/]* / ,,; /^[a-z]*\//p' | grep -vE '$(CROSS_SKIP)' | \
	    xargs -d '\n' tools/run-tests.sh build-aarch64 --timeout-multiplier 20

deb:
	@tools/install-dependencies.sh build library faiss mpi deb
	packaging/deb.sh $(BUILD)-deb
	lintian --fail-on error,warning --info $(BUILD)-deb/*.changes

try-deb: deb
	@tools/install-dependencies.sh try-deb
	packaging/try-deb.sh $(BUILD)-deb

reproducible:
	@tools/install-dependencies.sh build library faiss mpi deb
	packaging/reproducible.sh .
	packaging/reproducible.sh . deb

sbom: build
	packaging/sbom.py $(BUILD)/genair >$(BUILD)/genair.cdx.json

lint:
	@tools/install-dependencies.sh lint
	@tools/lint.sh

lint-deep: build
	@tools/install-dependencies.sh lint-deep
	@tools/lint-deep.py $(BUILD)

install: build
ifneq ($(origin PREFIX),file)
	meson configure $(BUILD) -Dprefix=$(PREFIX)
endif
	meson install -C $(BUILD)

comma := ,
