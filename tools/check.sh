#!/usr/bin/env bash
# Everything that must hold before a change lands, after tools/check_sources.sh and the build. `make test` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== test tokenizers"
tools/fetch_test_tokenizers.sh
echo "== tests"
ctest --preset release -j "$(nproc)"
echo "== clang-tidy"
tools/tidy.sh
