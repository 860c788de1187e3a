#!/usr/bin/env bash
# What the project's CI does not run: other compilers, sanitizers, plain kernels, official clients, browsers, fuzzing.
# `make check-all` runs all of it (hours on two cores); `tools/check_all.sh clang fuzz` runs only the steps named.
# Goes on after a failed step; the last lines say which failed. Output of each step: build/check-all/STEP.log
set -uo pipefail
cd "$(dirname "$0")/.."

mkdir -p build/check-all
jobs=$(nproc)

# Builds a preset and runs its tests.
build_and_test() {
  cmake --preset "$1" && cmake --build --preset "$1" &&
    ctest --test-dir "build/$1" -j "$jobs" --output-on-failure --output-junit tests.xml
  local status=$?
  [ -f "build/$1/tests.xml" ] && python3 tools/test_summary.py "build/$1/tests.xml"
  return $status
}

step_clang() { build_and_test clang; }    # compiles with clang
step_debug() { build_and_test debug; }    # address, leak and undefined-behaviour sanitizers
step_thread() { build_and_test thread; }  # thread sanitizer
step_scalar() { build_and_test scalar; }  # a program without the AVX kernels
step_bench() { cmake --preset bench && cmake --build --preset bench; }  # benchmarks compile

# A server under load whose clients hang up, with the thread sanitizer.
step_faults() {
  cmake --preset thread && cmake --build --preset thread --target r1 &&
    tools/serve_faults.py build/thread/r1 --seconds 60
}

# The official OpenAI and Anthropic clients.
step_clients() {
  tools/setup_clients.sh && cmake --preset release && cmake --build --preset release --target r1 &&
    tests/clients/run.sh build/release/r1
}

# The chat site in Chromium, against the mock and against the real server.
step_browser() {
  tools/setup_browser.sh && cmake --preset release && cmake --build --preset release --target r1 &&
    (cd web && npm ci --loglevel=error && npm run --silent e2e &&
      npm run --silent e2e -- --program ../build/release/r1)
}

# A minute of each fuzz target, from the corpus that earlier runs left.
step_fuzz() {
  cmake --preset fuzz && cmake --build --preset fuzz || return 1
  local source target status=0
  for source in fuzz/*_fuzz.cpp; do
    target=$(basename "$source" .cpp)
    mkdir -p "build/fuzz/corpus/$target"
    (cd build/fuzz && "fuzz/$target" -max_total_time=60 -timeout=20 -print_final_stats=1 "corpus/$target") ||
      { echo "FOUND by $target"; status=1; }
  done
  return $status
}

# Tests notice wrong changes.
step_mutations() {
  local list status=0
  for list in tests/mutations/*.txt; do
    tools/mutate.py "$(basename "$list" .txt)" --jobs "$jobs" || status=1
  done
  return $status
}

all=(clang scalar debug thread bench clients browser faults fuzz mutations)
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=("${all[@]}")
for step in "${steps[@]}"; do
  declare -F "step_$step" >/dev/null || { echo "check-all: no step '$step' (${all[*]})" >&2; exit 2; }
done

failed=()
for step in "${steps[@]}"; do
  echo "== $step"
  if "step_$step" >"build/check-all/$step.log" 2>&1; then
    grep -hE '^[0-9]+ passed, ' "build/check-all/$step.log" || echo "passed"
  else
    failed+=("$step")
    tail -n 25 "build/check-all/$step.log"
    echo "FAILED: $step (build/check-all/$step.log)"
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all of ${steps[*]} passed"
