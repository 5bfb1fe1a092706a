# The front door: each target is one meson call. `make` builds build/fennec.

BUILD ?= build
FUZZ_CC ?= clang

.PHONY: all bench check asan tsan valgrind fuzz lint install clean
all: $(BUILD)/build.ninja
	ninja -C $(BUILD) fennec

bench: $(BUILD)/build.ninja
	ninja -C $(BUILD) fennec bench/bench_bare bench/bench_upstream bench/bench_chat_upstream bench/bench_chat_load

check: all asan
	script/test

asan: build-asan/build.ninja
	ninja -C build-asan

tsan: build-tsan/build.ninja
	ninja -C build-tsan

valgrind: build-valgrind/build.ninja
	ninja -C build-valgrind

fuzz: build-fuzz/build.ninja
	ninja -C build-fuzz fuzz

lint: $(BUILD)/build.ninja
	script/lint

install: all
	meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

clean:
	rm -rf build build-asan build-tsan build-valgrind build-fuzz

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix=/usr --sysconfdir=/etc --localstatedir=/var

build-asan/build.ninja:
	meson setup build-asan --prefix=/usr -Db_lto=false -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1

build-tsan/build.ninja:
	meson setup build-tsan --prefix=/usr -Db_lto=false -Db_sanitize=thread -Db_lundef=false -Doptimization=1

build-valgrind/build.ninja:
	meson setup build-valgrind --prefix=/usr -Db_lto=false

build-fuzz/build.ninja:
	CC="$(FUZZ_CC)" meson setup build-fuzz --prefix=/usr -Dfuzz=true -Db_lto=false -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
