#!/usr/bin/env bash
# Makes the model that ships (models/): data, tokenizer, training, GGUF, scores. Run from the root of the repository:
#   recipes/first-model/run.sh            everything, into build/first-model
#   SAMPLES=5000 recipes/first-model/run.sh --max-steps 100    a quick trial; flags go to `r1 train sft`
# A run that was interrupted goes on where it stood when the script is started again.
set -euo pipefail

r1=build/release/r1
out=build/first-model
mkdir -p "$out"

[ -f "$out/train.jsonl" ] || "$r1" data make --count "${SAMPLES:-600000}" --seed 1 --out "$out/train.jsonl"
# Problems that occur nowhere in training: some to watch the loss, others for the report.
[ -f "$out/held-out.jsonl" ] || "$r1" data make --split test --count 3000 --seed 2 --out "$out/held-out.jsonl"
[ -f "$out/test.jsonl" ] || "$r1" data make --split test --count 6000 --seed 3 --history 0 --out "$out/test.jsonl"
[ -f "$out/tokenizer/tokenizer.json" ] ||
  "$r1" train tokenizer "$out/train.jsonl" --vocab-size 2048 --context-length 2048 --out "$out/tokenizer"

"$r1" train sft --resume "$@" recipes/first-model/train.toml
"$r1" convert "$out/model" "$out/f32.gguf" --name "r1 first model (5M)"
"$r1" quantize "$out/f32.gguf" "$out/r1-first-5m-Q8_0.gguf" --type Q8_0
for file in f32 r1-first-5m-Q8_0; do
  "$r1" data score "$out/$file.gguf" "$out/test.jsonl" -o "$out/answers-$file.jsonl" | tee "$out/scores-$file.txt"
done
# As `r1 run` and `r1 serve` answer when nobody sets a temperature.
"$r1" data score "$out/r1-first-5m-Q8_0.gguf" "$out/test.jsonl" --temp 0.6 --top-p 0.95 | tee "$out/scores-sampled.txt"
