#!/usr/bin/env python3
"""Checks that a folder of src/ includes only folders on lower floors (docs/architecture.md)."""
import pathlib
import re
import sys

FLOOR = {
    "base": 0, "tensor": 1, "formats": 2, "kernels": 2, "text": 2, "nn": 3, "grammar": 3, "grade": 3,
    "tasks": 3, "report": 3, "model": 4, "engine": 5, "train": 5, "eval": 6, "rl": 6, "server": 6, "cli": 7,
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    bad = 0
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".cuh", ".inc"}):
        folder = path.relative_to(root).parts[0]
        if folder not in FLOOR:
            print(f"{path.relative_to(root.parent)}: folder '{folder}' has no floor")
            bad += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if target not in FLOOR:
                print(f"{path.relative_to(root.parent)}:{number}: '{match.group(1)}' is not a path from src/")
                bad += 1
            elif target != folder and FLOOR[target] >= FLOOR[folder]:
                print(f"{path.relative_to(root.parent)}:{number}: {folder} (floor {FLOOR[folder]}) may not "
                      f"include {target} (floor {FLOOR[target]})")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
