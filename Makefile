# Thin front to CMake: sets the machine up, builds, then does the job.
#   make build            build/release/r1
#   make run              chat with the small model that ships; MODEL=FILE: with another; ARGS="-p 'Hello'"
#   make test             everything that must hold
#   make check-all        what CI does not run: clang, sanitizers, plain kernels, clients, browser, fuzzing, mutations (hours);
#                         STEPS="clang fuzz": these alone
#   make eval-demo        the model that ships, evaluated end to end, with a report (minutes)
#   make reason-demo      base, R1-Zero, cold start, R1 and a distilled student, trained from nothing, with a report (minutes)
#   make coverage         line coverage by folder
.PHONY: setup configure build run eval-demo reason-demo test check-sources check-all coverage format

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

eval-demo: configure
	@cmake --build --preset release --target r1
	@bash tools/eval_demo.sh build/release/r1

reason-demo: configure
	@cmake --build --preset release --target r1
	@bash tools/reason_demo.sh build/release/r1

test: check-sources build
	@bash tools/check.sh

check-all: setup
	@bash tools/check_all.sh $(STEPS)

coverage: setup
	@cmake --preset coverage >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset coverage
	@find build/coverage -name '*.gcda' -delete
	@ctest --preset coverage -j "$$(nproc)" || echo "some tests failed: the figures count what ran"
	@python3 tools/coverage.py build/coverage

check-sources: setup
	@bash tools/check_sources.sh

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i
