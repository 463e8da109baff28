# GNU make.  Everything is built under build/; `make help` lists the targets.
#
#   make                    tools in build/bin/, libteasel.a in build/lib/
#   make MODE=asan check    asan, ubsan, tsan, debug, clang: each in build/MODE/, laid out alike
#   make MODE=arm64 check   the same for arm64, under qemu (scripts/deps --install cross)
#   make V=1                show the commands
#   make WERROR=            let warnings be warnings, for a compiler that we have not met

ifeq ($(origin CC),default)
CC := gcc
endif
AR         ?= ar
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
WERROR     ?= -Werror
FUZZ_TIME  ?= 20
Q          := $(if $(V),,@)
B          := build$(if $(MODE),/$(MODE))

OPT     := -O2 -g
FORTIFY := -D_FORTIFY_SOURCE=2
ifneq ($(filter asan ubsan tsan fuzz,$(MODE)),)
# Instrumented code draws false alarms from gcc's flow analysis, and _FORTIFY_SOURCE calls
# functions that the sanitizers do not watch.
OPT     := -O1 -g -fno-omit-frame-pointer
FORTIFY :=
WERROR  :=
endif
ifeq ($(MODE),asan)
SANITIZE := -fsanitize=address
else ifeq ($(MODE),ubsan)
SANITIZE := -fsanitize=undefined -fno-sanitize-recover=all
else ifeq ($(MODE),tsan)
SANITIZE := -fsanitize=thread
else ifeq ($(MODE),fuzz)
CC       := clang
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifeq ($(MODE),debug)
OPT      := -O0 -g3
FORTIFY  :=
else ifeq ($(MODE),clang)
CC       := clang
else ifeq ($(MODE),arm64)
CC       := aarch64-linux-gnu-gcc
export EMULATOR := qemu-aarch64
else ifneq ($(MODE),)
$(error MODE is one of asan ubsan tsan debug clang arm64, not "$(MODE)")
endif

# What is needed to build, and to test.  `clean` and `help` must work without.
LIBRARIES := libxxhash libzstd zlib libutf8proc jansson libpcre2-8
PACKAGES  := $(LIBRARIES)
ifneq ($(filter check check-long tests,$(MAKECMDGOALS)),)
PACKAGES += cmocka
endif
ifneq ($(filter-out clean help uninstall asan ubsan tsan fuzz,$(or $(MAKECMDGOALS),all)),)
MISSING := $(strip $(foreach p,$(PACKAGES),$(shell $(PKG_CONFIG) --exists $p 2>/dev/null || echo $p)))
ifneq ($(MISSING),)
$(error not installed: $(MISSING); run `scripts/deps --install`, which calls apt-get install)
endif
endif
LIBS := $(shell $(PKG_CONFIG) --libs $(filter-out libxxhash,$(LIBRARIES)) 2>/dev/null)

# CFLAGS, CPPFLAGS and LDFLAGS are left to whoever builds.  No a * b + c with one rounding: what a
# machine has no such instruction for would come out otherwise.
ALL_CFLAGS = -std=c17 -ffp-contract=off -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib $(OPT) \
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(WERROR) \
    $(FORTIFY) -fstack-protector-strong -fPIE -pthread $(SANITIZE) \
    $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null) $(CPPFLAGS) $(CFLAGS)
ALL_CFLAGS := $(ALL_CFLAGS)
ALL_LDFLAGS := -pie -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

# ---- what there is: found, not listed ------------------------------------------------------

NAMES    := cshuf ctok cmask cshard crec ctrain
obj       = $(patsubst %.c,$B/obj/%.o,$1)
MAINS    := $(wildcard $(NAMES:%=tools/%.c))
KIT      := $(wildcard tools/cli*.c)
LIB      := $B/lib/libteasel.a
TOOLS    := $(MAINS:tools/%.c=$B/bin/%)

T_UNIT    := $(wildcard tests/*/test_*.c)
T_EXAMPLE := $(wildcard tests/examples/*.c)
T_FUZZ    := $(wildcard tests/fuzz/fuzz_*.c)
T_HELPER  := $(wildcard tests/tools/*.c)
T_BENCH   := $(wildcard tests/bench/*.c)
T_SUPPORT := $(wildcard tests/support/*.c)
SUPPORT   := $(if $(T_SUPPORT),$B/lib/libsupport.a)

UNITS    := $(T_UNIT:%.c=$B/%)
EXAMPLES := $(T_EXAMPLE:%.c=$B/%)
REPLAYS  := $(T_FUZZ:%.c=$B/%)
HELPERS  := $(T_HELPER:tests/tools/%.c=$B/tests/%)
BENCHES  := $(T_BENCH:tests/bench/%.c=$B/bench/%)
FUZZERS  := $(T_FUZZ:tests/fuzz/%.c=$B/%)
IOFAULT  := $(if $(wildcard tests/faults/iofault.c),$B/tests/libiofault.so)

SOURCES := $(wildcard lib/*/*.c tools/*.c tests/*/*.c)

# ---- targets -------------------------------------------------------------------------------

.PHONY: all tests bench fixtures check check-long asan ubsan tsan fuzz lint install uninstall clean help
.PHONY: FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIB) $(TOOLS) ## the tools and the library (default)

tests: all $(UNITS) $(EXAMPLES) $(REPLAYS) $(HELPERS) $(IOFAULT) ## build all that the tests need

bench: $(BENCHES) ## build the benchmarks

# A folder of a set is one with a folder "expected" in it.
fixtures: $(filter $B/tests/fixture-%,$(HELPERS)) ## build the fixture runners; DIR=SET: run them on it
	$Q test -z '$(DIR)' || find '$(DIR)' -type d -name expected -printf '%h\0' | sort -z | \
	    xargs -0 -r $B/tests/fixture-tokenizers

check: tests ## run the tests
	$Q tests/run $B

check-long: tests ## run the tests, and those of sizes, memory ceilings and statistics
	$Q tests/run --long $B

asan ubsan tsan: ## run every test under a sanitizer
	$Q $(MAKE) --no-print-directory MODE=$@ check

ifeq ($(MODE),fuzz)
fuzz: $(FUZZERS)
	$Q for f in $^; do \
	    name=$${f##*/fuzz_}; mkdir -p $B/found/$$name; \
	    known=tests/fuzz/corpus/$$name; test -d $$known || known=; \
	    $$f -max_total_time=$(FUZZ_TIME) -verbosity=0 -print_final_stats=1 \
	        -artifact_prefix=$B/found/ $B/found/$$name $$known || exit 1; \
	done
else
fuzz: ## fuzz each parser for FUZZ_TIME seconds (0: until stopped); build/fuzz/ has the fuzzers
	$Q $(MAKE) --no-print-directory MODE=fuzz fuzz
endif

# tests/faults/ is a project of its own, with its own layout.
lint: all ## layout and house rules
	$Q clang-format --dry-run -Werror $(filter-out tests/faults/%, \
	    $(SOURCES) $(wildcard lib/*/*.h tools/*.h tests/*/*.h))
	$Q scripts/check-floors
	$Q scripts/check-map
	$Q scripts/check-tests
	$Q scripts/check-includes
	$Q scripts/check-help $B/bin

# FILE:FOLDER:NAME of all that a tool brings, as far as it has them.
DOCS := $(foreach n,$(MAINS:tools/%.c=%), \
    tools/$n.1:share/man/man1:$n.1 \
    tools/completions/$n.bash:share/bash-completion/completions:$n \
    tools/completions/_$n:share/zsh/site-functions:_$n \
    tools/completions/$n.fish:share/fish/vendor_completions.d:$n.fish)

install: all ## install tools, manuals and shell completions (PREFIX=/usr/local, DESTDIR=)
	$Q install -d $(DESTDIR)$(PREFIX)/bin
	$Q install $(TOOLS) $(DESTDIR)$(PREFIX)/bin
	$Q for doc in $(DOCS); do \
	    IFS=:; set -- $$doc; test -e $$1 || continue; \
	    install -D -m 644 $$1 "$(DESTDIR)$(PREFIX)/$$2/$$3" || exit 1; \
	done

uninstall: ## remove what install put there
	$Q rm -f $(patsubst tools/%.c,$(DESTDIR)$(PREFIX)/bin/%,$(MAINS))
	$Q for doc in $(DOCS); do \
	    IFS=:; set -- $$doc; rm -f "$(DESTDIR)$(PREFIX)/$$2/$$3"; \
	done

clean: ## remove build/
	$Q rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z][a-z -]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# ---- rules ---------------------------------------------------------------------------------

# Another compiler or other flags: build anew, rather than link what does not fit together.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' > $@

$B/obj/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$Q $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The same for each kind of processor, chosen when the program runs (base/hash.h, tensor/kernels.h).
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
$B/obj/lib/base/hash_avx2.o:        ALL_CFLAGS += -mavx2
$B/obj/lib/tensor/kernels_avx2.o:   ALL_CFLAGS += -mavx2 -mfma
$B/obj/lib/tensor/kernels_avx512.o: ALL_CFLAGS += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
endif
$B/obj/lib/tensor/kernels_%.o: ALL_CFLAGS += -O3
# Long loops over numbers; sqrtf is to be an instruction and sets no errno.
$B/obj/lib/optim/%.o: ALL_CFLAGS += -O3 -fno-math-errno

# Tests define what others call: __wrap_write, LLVMFuzzerTestOneInput.
$B/obj/tests/%.o: ALL_CFLAGS += -Itests -Wno-missing-prototypes

# An archive holds its objects and no other: their list is a prerequisite, for a source that
# came or went, however old it is.
LIB_OBJECTS     := $(call obj,$(wildcard lib/*/*.c))
SUPPORT_OBJECTS := $(call obj,$(T_SUPPORT))
$(LIB): $(LIB_OBJECTS)
$(SUPPORT): $(SUPPORT_OBJECTS)
$(LIB) $(SUPPORT): $B/lib/%.a: $B/lib/%.list
	@mkdir -p $(@D)
	$Q rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
$B/lib/libteasel.list: OBJECTS_NOW = $(LIB_OBJECTS)
$B/lib/libsupport.list: OBJECTS_NOW = $(SUPPORT_OBJECTS)
$B/lib/%.list: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(OBJECTS_NOW) | cmp -s - $@ || printf '%s\n' $(OBJECTS_NOW) > $@

link = @mkdir -p $(@D)$(newline)	$Q $(CC) $(ALL_LDFLAGS) -o $@
define newline


endef

# A tool of several files has more of them beside its main: tools/NAME_*.c.
$(foreach t,$(MAINS:tools/%.c=%),$(eval $B/bin/$t: $(call obj,$(wildcard tools/$t_*.c))))
$(TOOLS): $B/bin/%: $B/obj/tools/%.o $(call obj,$(KIT)) $(LIB)
	$(link) $(filter %.o,$^) $(LIB) $(LIBS) -lm

# Functions that a test (or tests/support) defines as __wrap_NAME take the place of NAME in the
# library, by the linker's --wrap: no hook in the library, no list of them here.
wraps = $$(sed -n 's/.*\b__wrap_\([a-z0-9_]*\)(.*/-Wl,--wrap=\1/p' $1 $(T_SUPPORT) | sort -u)

$(UNITS): $B/%: $B/obj/%.o $(SUPPORT) $(LIB)
	$(link) $< $(call wraps,$*.c) -Wl,--start-group $(SUPPORT) $(LIB) -Wl,--end-group \
	    $(LDFLAGS_$(*F)) -lcmocka $(LIBS) -lm

$(EXAMPLES): $B/%: $B/obj/%.o $(LIB)
	$(link) $^ $(LIBS) -lm

$(HELPERS): $B/tests/%: $B/obj/tests/tools/%.o $(LIB)
	$(link) $^ $(LIBS) -lm

$(BENCHES): $B/bench/%: $B/obj/tests/bench/%.o $(LIB)
	$(link) $^ $(LIBS) -lm

$(REPLAYS): $B/%: $B/obj/%.o $B/obj/tests/fuzz/replay_main.o $(LIB)
	$(link) $^ $(LIBS) -lm

ifeq ($(MODE),fuzz)
$(FUZZERS): $B/%: $B/obj/tests/fuzz/%.o $(LIB)
	$(link) -fsanitize=fuzzer $^ $(LIBS) -lm
endif

# The sanitizers bring an allocator of their own.
$(IOFAULT): tests/faults/iofault.c $B/flags
	@mkdir -p $(@D)
	$Q $(CC) -O2 -Wall -Wextra -fPIC -shared $(if $(SANITIZE),-DIOFAULT_NO_ALLOC) -o $@ $< -ldl

-include $(patsubst %.c,$B/obj/%.d,$(SOURCES))
