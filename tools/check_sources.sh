#!/usr/bin/env bash
# What can be said about the sources in seconds, without building them.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== include directions between floors"
python3 tools/check_floors.py
echo "== formatting"
git ls-files '*.cpp' '*.h' | xargs -r clang-format --dry-run --Werror
