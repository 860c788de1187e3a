# Thin front to CMake: sets the machine up, builds, then does the job.
#   make build            build/release/r1
#   make run              chat with the small model that ships; MODEL=FILE: with another; ARGS="-p 'Hello'"
#   make test             everything that must hold
.PHONY: setup configure build run test check-sources format

setup: build/.packages
build/.packages: tools/setup.sh
	@bash tools/setup.sh
	@mkdir -p build && touch $@

configure: setup
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }

build: configure
	@cmake --build --preset release

run: configure
	@cmake --build --preset release --target r1
	@build/release/r1 run $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: check-sources build
	@bash tools/check.sh

check-sources: setup
	@bash tools/check_sources.sh

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i
