#!/usr/bin/env bash
# run.sh R1: the official clients' tests. Skipped (exit 77) where the clients are not installed: tools/setup_clients.sh.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
if ! command -v node >/dev/null || [ ! -d node_modules/openai ] || [ ! -d node_modules/@anthropic-ai/sdk ]; then
  echo "skipped: the openai and @anthropic-ai/sdk packages are not installed (tools/setup_clients.sh)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" debug synth tiny-qwen2 "$folder/tiny.gguf" --type Q8_0
node run.mjs "$program" "$folder/tiny.gguf"
HOME=$folder node shipped.mjs "$program"
