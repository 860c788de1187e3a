#!/usr/bin/env bash
# What can be said about the sources in seconds, without building them.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== include directions between floors"
python3 tools/check_floors.py
echo "== links and file names in the documentation"
python3 tools/check_docs.py
echo "== formatting"
git ls-files '*.cpp' '*.h' | xargs -r clang-format --dry-run --Werror
echo "== tests write into folders of their own (tests/temporary_folder.h)"
# What git ignores (installed packages) is left out.
if git grep --untracked -nE 'TempDir\(\)|temp_directory_path|mkdtemp' -- tests ':!tests/temporary_folder.h'; then exit 1; fi
