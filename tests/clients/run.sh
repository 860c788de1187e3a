#!/usr/bin/env bash
# run.sh R1: the tests of the API's clients. Skipped (exit 77) where the clients are not installed: tools/setup_clients.sh.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
for package in openai @anthropic-ai/sdk ai @ai-sdk/openai-compatible @langchain/openai; do
  if ! command -v node >/dev/null || [ ! -d node_modules/$package ]; then
    echo "skipped: $package is not installed (tools/setup_clients.sh)"
    exit 77
  fi
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" debug synth tiny-qwen2 "$folder/tiny.gguf" --type Q8_0
node run.mjs "$program" "$folder/tiny.gguf"
HOME=$folder node shipped.mjs "$program"
