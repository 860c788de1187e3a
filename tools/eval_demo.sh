#!/usr/bin/env bash
# The model that ships, evaluated end to end: its own held-out exercises, and the first 50 questions of GSM8K, which it was never
# trained for. Eight samples a question; the reports are in build/eval-demo. Continues where it was interrupted.
#   tools/eval_demo.sh [build/release/r1]
set -euo pipefail

r1=${1:-build/release/r1}
out=build/eval-demo
mkdir -p "$out"

# Problems that occur in no training file (models/README.md), small talk left out.
if [ ! -f "$out/held-out.jsonl" ]; then
  # Kinds whose wording is as the model was trained on (models/README.md).
  "$r1" data make --split test --kinds equation,percent,comparison,unit --count 120 --seed 3 --history 0 --out "$out/exercises.jsonl"
  python3 - "$out" <<'PYTHON'
import json, pathlib, re, sys
folder = pathlib.Path(sys.argv[1])
lines = []
for number, text in enumerate((folder / "exercises.jsonl").read_text(encoding="utf-8").splitlines()):
    record = json.loads(text)
    boxed = re.findall(r"\\boxed\{([^{}]*)\}", record["answer"])
    if boxed:
        lines.append({"id": f"{record['kind']}-{number}", "question": record["question"], "answer": boxed[-1],
                      "group": record["kind"]})
(folder / "held-out.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines[:100]),
                                       encoding="utf-8")
PYTHON
fi

# Answers of this model are short; a thought of 400 tokens is one that has lost its way.
"$r1" eval math --data "$out/held-out.jsonl" -k 8 --max-tokens 400 --out "$out/held-out"

# GSM8K: what `r1 eval fetch` got, or a folder of benchmarks beside the checkout.
data=()
if [ -f ../shared/evals/gsm8k/test.jsonl ]; then
  data=(--data ../shared/evals)
else
  "$r1" eval fetch gsm8k
fi
"$r1" eval gsm8k "${data[@]}" --limit 50 -k 8 --max-tokens 400 --out "$out/gsm8k"

for run in held-out gsm8k; do "$r1" eval report "$out/$run"; done
echo "reports: $out/held-out/report.html $out/gsm8k/report.html"
