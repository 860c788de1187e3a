#!/usr/bin/env bash
# Everything that must hold before a change lands, cheapest first. `make test` runs it after the build.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== include directions between floors"
python3 tools/check_floors.py
echo "== formatting"
git ls-files '*.cpp' '*.h' | xargs -r clang-format --dry-run --Werror
echo "== test tokenizers"
tools/fetch_test_tokenizers.sh
echo "== tests"
ctest --preset release -j "$(nproc)"
echo "== clang-tidy"
tools/tidy.sh
