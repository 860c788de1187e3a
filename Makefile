# Thin front to CMake: sets the machine up, builds, then does the job.
#   make build            build/release/r1
#   make run MODEL=FILE   chat with a model
#   make test             everything that must hold
.PHONY: setup build run test check-sources format

setup: build/.packages
build/.packages: tools/setup.sh
	@bash tools/setup.sh
	@mkdir -p build && touch $@

build: setup
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset release

run: build
	@if [ -z "$(MODEL)" ]; then echo "which model? make run MODEL=path/to/model.gguf"; exit 2; fi
	@build/release/r1 run --model $(MODEL) $(ARGS)

test: check-sources build
	@bash tools/check.sh

check-sources: setup
	@bash tools/check_sources.sh

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i
