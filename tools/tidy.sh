#!/usr/bin/env bash
# clang-tidy over all sources, or over the files given. Needs a configured release build.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/release/compile_commands.json ] || cmake --preset release >/dev/null

if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'src/*.cpp'); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/release >"$log" 2>/dev/null; then
  cat "$log"
  exit 1
fi
echo "${#files[@]} files pass"
