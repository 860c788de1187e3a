#!/usr/bin/env bash
# Reasoning by reinforcement learning, from nothing, in minutes on two cores: recipes/reason-small. Base, R1-Zero, cold start, R1 and a
# distilled student, with one report. Fails where the promises of recipes/reason-small/README.md are not kept.
# Continues where it was interrupted.
#   tools/reason_demo.sh [build/release/r1]
set -euo pipefail

r1=${1:-build/release/r1}
out=build/reason-small

"$r1" pipeline recipes/reason-small/recipe.toml --output "$out"
python3 - "$out/report.json" <<'PYTHON'
import json, sys
stages = {stage["name"]: stage for stage in json.load(open(sys.argv[1], encoding="utf-8"))["stages"]}
base, failed = stages["base"], False
print(f"{'':12} {'pass@1':>8} {'format':>8} {'language':>9} {'thinking':>9}")
for name in ("base", "r1-zero", "cold-start", "reasoning", "second-sft", "r1", "student"):
    stage = stages[name]
    print(f"{name:12} {stage['scores']['pass@1']['value']:8.3f} {stage['format']:8.3f} {stage['language']:9.3f} "
          f"{stage['thinking_tokens']:9.1f}")
for name in ("r1-zero", "r1"):
    stage = stages[name]
    longer = stage["thinking_tokens"] / base["thinking_tokens"]
    for what, value, least in (("pass@1", stage["scores"]["pass@1"]["value"], 0.75), ("format", stage["format"], 0.9),
                               ("thinking, times the base's", longer, 2.5)):
        if value < least:
            failed = True
            print(f"{name}: {what}: expected at least {least}, found {value:.3f}")
seconds = sum(stage["seconds"] + stage["evaluation_seconds"] for stage in stages.values())
print(f"{seconds / 60:.1f} minutes; the whole run: {sys.argv[1].replace('.json', '.html')}")
sys.exit(failed)
PYTHON
