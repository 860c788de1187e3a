#!/usr/bin/env bash
# Makes the first model: data, tokenizer, training, GGUF, scores. Run from the root of the repository:
#   recipes/first-model/run.sh            everything, into build/first-model
#   SAMPLES=5000 recipes/first-model/run.sh --max-steps 100    a quick trial; flags go to `r1 train sft`
# A run that was interrupted goes on where it stood when the script is started again.
set -euo pipefail

r1=build/release/r1
out=build/first-model
mkdir -p "$out"

[ -f "$out/train.jsonl" ] || "$r1" data make --count "${SAMPLES:-500000}" --seed 1 --out "$out/train.jsonl"
# Problems that occur nowhere in training: some to watch the loss, others for the report.
[ -f "$out/held-out.jsonl" ] || "$r1" data make --split test --count 500 --seed 2 --out "$out/held-out.jsonl"
[ -f "$out/test.jsonl" ] || "$r1" data make --split test --count 4000 --seed 3 --history 0 --out "$out/test.jsonl"
[ -f "$out/tokenizer/tokenizer.json" ] ||
  "$r1" train tokenizer "$out/train.jsonl" --vocab-size 2048 --context-length 2048 --out "$out/tokenizer"

"$r1" train sft --resume "$@" recipes/first-model/train.toml
"$r1" convert "$out/model" "$out/first-model-f32.gguf"
"$r1" quantize "$out/first-model-f32.gguf" "$out/first-model-Q8_0.gguf" --type Q8_0
"$r1" data score "$out/first-model-Q8_0.gguf" "$out/test.jsonl" | tee "$out/report.txt"
