#!/usr/bin/env bash
# Everything that must hold before a change lands, after tools/check_sources.sh and the build. `make test` runs it.
# The last line of output is "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
echo "== test tokenizers"
tools/fetch_test_tokenizers.sh || failed=1
echo "== tests"
rm -f build/release/tests.xml
ctest --preset release -j "$(nproc)" --output-junit tests.xml || failed=1
echo "== clang-tidy"
tools/tidy.sh || failed=1
echo "== summary"
python3 tools/test_summary.py build/release/tests.xml || failed=1
exit $failed
