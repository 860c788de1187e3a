#!/usr/bin/env python3
"""Line coverage of src/ by folder, after the tests of a build with --coverage ran. `make coverage` does all of it.

    tools/coverage.py build/coverage [--files FOLDER]

Counts a line of a file once, whatever number of objects has it: covered when any of them ran it.
"""
import argparse
import collections
import concurrent.futures
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"


def lines_of(data: pathlib.Path) -> list[tuple[str, int, bool]]:
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(data)], capture_output=True, cwd=data.parent)
    if done.returncode != 0:
        sys.exit(done.stderr.decode(errors="replace"))
    output = done.stdout
    if output[:2] == b"\x1f\x8b":
        output = gzip.decompress(output)
    found = []
    for document in output.splitlines():
        report = json.loads(document)
        for file in report["files"]:
            path = pathlib.Path(report["current_working_directory"], file["file"]).resolve()
            if SOURCES in path.parents:
                name = str(path.relative_to(SOURCES))
                found += [(name, line["line_number"], line["count"] > 0) for line in file["lines"]]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--files", metavar="FOLDER", help="also each file of this folder of src/")
    arguments = parser.parse_args()
    # Objects that no test loaded have .gcno files only; gcov reports their lines with zero counts.
    objects = [p for p in arguments.build.resolve().rglob("*.gcno") if "/tests/" not in str(p)]
    if not objects:
        sys.exit(f"{arguments.build}: no .gcno files: it is no build with --coverage")
    covered: dict[str, dict[int, bool]] = collections.defaultdict(dict)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(lines_of, objects):
            for name, line, hit in lines:
                covered[name][line] = covered[name].get(line, False) or hit

    def row(title: str, names: list[str]) -> str:
        total = sum(len(covered[n]) for n in names)
        hits = sum(sum(covered[n].values()) for n in names)
        return f"{title:40} {hits:7} of {total:7} lines {100 * hits / max(1, total):6.1f}%"

    folders = collections.defaultdict(list)
    for name in covered:
        folders[name.split("/")[0]].append(name)
    if arguments.files:
        for name in sorted(n for n in covered if n.startswith(arguments.files.rstrip("/") + "/")):
            print(row(name, [name]))
    for folder in sorted(folders):
        print(row(folder, folders[folder]))
    print(row("all of src/", list(covered)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
