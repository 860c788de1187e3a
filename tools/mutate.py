#!/usr/bin/env python3
"""Changes the program in one small place at a time and checks that a test notices.

    tools/mutate.py engine                 # all mutations of tests/mutations/engine.txt
    tools/mutate.py engine --only rotation # those whose file, number or reason contains the text
    tools/mutate.py engine --list          # prints them; checks that each still applies
    tools/mutate.py engine --filter 'Scheduler*' --jobs 2

A list has one entry a mutation (tests/mutations/README.md):

    @ engine/scheduler.cpp  no rotation: some sequences starve while others run
    - text that stands in the file exactly once
    + what replaces it

The tree and its build stay as they are: a mutant is written to a scratch folder, compiled with the command of
the release build, linked in front of the unchanged libraries into a copy of the folder's test program, and
run. `killed`: a test fails, or the program crashes or runs into the time limit. `survived`: all tests pass.
Exit 0 when at least --at-least percent are killed and every mutation applies and compiles.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Mutation:
    number: int
    file: str  # from src/
    reason: str
    old: str
    new: str


def read_list(path: pathlib.Path) -> tuple[str, list[Mutation]]:
    """The test program's name and the mutations."""
    program = f"test_{path.stem}"
    mutations: list[Mutation] = []
    old: list[str] = []
    new: list[str] = []
    head = None

    def finish() -> None:
        if head is None:
            return
        if not old:
            sys.exit(f"{path}: '{head[1]}' has no line that starts with '- '")
        mutations.append(Mutation(len(mutations) + 1, head[0], head[1], "\n".join(old), "\n".join(new)))

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("@ "):
            finish()
            parts = line[2:].split(maxsplit=1)
            if len(parts) != 2:
                sys.exit(f"{path}:{number}: expected '@ FILE  REASON'")
            head, old, new = (parts[0], parts[1].strip()), [], []
        elif line.startswith("program: "):
            program = line.removeprefix("program: ").strip()
        elif line[:2] in ("- ", "+ ") or line in ("-", "+"):
            (old if line[0] == "-" else new).append(line[2:])
        elif line.strip() and not line.startswith("#"):
            sys.exit(f"{path}:{number}: expected '@ FILE  REASON', '- OLD', '+ NEW' or '# comment'")
    finish()
    return program, mutations


def mutated_text(mutation: Mutation) -> str:
    """Throws ValueError when the old text does not stand in the file exactly once."""
    path = ROOT / "src" / mutation.file
    if not path.exists():
        raise ValueError("there is no such file")
    text = path.read_text(encoding="utf-8")
    count = text.count(mutation.old)
    if count != 1:
        raise ValueError(f"expected its text once, found it {count} times")
    changed = text.replace(mutation.old, mutation.new)
    if changed == text:
        raise ValueError("old and new text are the same")
    return changed


class Build:
    """Commands of the release build of one test program."""

    def __init__(self, folder: pathlib.Path, program: str):
        self.folder = folder
        self.program = program
        commands = json.loads((folder / "compile_commands.json").read_text())
        self.compile = {str(pathlib.Path(c["file"]).resolve()): c["command"] for c in commands}
        lines = self._ninja("-t", "commands", "-s", f"tests/{program}").strip().splitlines()
        link = next((p for p in lines[-1].split(" && ") if " -o " in f" {p} "), None)
        if link is None:
            sys.exit(f"no link command for {program} in {folder}")
        self.link = shlex.split(link)
        self.units_of: dict[str, list[str]] = {}

    def _ninja(self, *arguments: str) -> str:
        done = subprocess.run(["ninja", "-C", str(self.folder), *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ninja: Entering"))

    def units(self, source: pathlib.Path) -> list[str]:
        """The sources to compile again when `source` changes."""
        if source.suffix == ".cpp":
            return [str(source)]
        if not self.units_of:
            target = None
            for line in self._ninja("-t", "deps").splitlines():
                if line and not line.startswith(" "):
                    target = None
                elif line.strip():
                    path = str((self.folder / line.strip()).resolve())
                    target = target or path  # the first dependency is the source itself
                    self.units_of.setdefault(path, []).append(target)
        return sorted({u for u in self.units_of.get(str(source), []) if u in self.compile})

    def is_linked(self, target: str) -> bool:
        """Whether an object of the build is part of the program, by itself or in one of its libraries."""
        library = re.search(r"CMakeFiles/(r1_\w+)\.dir/", target)
        return target in self.link or (library is not None and f"lib{library.group(1)}.a" in self.link)

    def build_mutant(self, mutation: Mutation, text: str, scratch: pathlib.Path) -> str | None:
        """The compiler's message when the mutant does not compile."""
        source = ROOT / "src" / mutation.file
        overlay = scratch / "src"
        changed = overlay / mutation.file
        changed.parent.mkdir(parents=True)
        changed.write_text(text, encoding="utf-8")
        link = list(self.link)
        link[link.index("-o") + 1] = str(scratch / self.program)
        objects = 0
        for unit in self.units(source):
            command = shlex.split(self.compile[unit])
            where = command.index("-o") + 1
            target = command[where]
            if not self.is_linked(target):
                continue
            mutant = command[where] = str(scratch / f"mutant{objects}.o")
            objects += 1
            command[command.index("-c") + 1] = str(changed) if unit == str(source) else unit
            first_include = next(i for i, a in enumerate(command) if a.startswith("-I"))
            command.insert(first_include, f"-I{overlay}")
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
            if done.returncode != 0:
                return done.stderr
            if target in link:
                link[link.index(target)] = mutant
            else:  # before the library that has the unchanged object, which then is not taken from there
                link.insert(next(i for i, a in enumerate(link) if a.endswith(".o")), mutant)
        if objects == 0:
            return "no source of this test program includes the file"
        done = subprocess.run(link, cwd=self.folder, capture_output=True, text=True)
        return done.stderr if done.returncode != 0 else None


def run_tests(program: pathlib.Path, test_filter: str, limit: float) -> tuple[bool, str]:
    """Whether all tests pass, and what failed first."""
    command = [str(program), "--gtest_fail_fast", "--gtest_brief=1", f"--gtest_filter={test_filter}"]
    try:
        done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, timeout=limit,
                              errors="replace", stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False, f"still running after {limit:.0f} s"
    if done.returncode == 0:
        return True, ""
    failed = re.search(r"\[  FAILED  \] ([^\s,]+)", done.stdout)
    return False, failed.group(1) if failed else f"ended with {done.returncode}"


def try_mutation(mutation: Mutation, build: Build, arguments: argparse.Namespace) -> tuple[str, str]:
    try:
        text = mutated_text(mutation)
    except ValueError as error:
        return "does not apply", str(error)
    with tempfile.TemporaryDirectory(prefix="r1-mutant-") as scratch:
        message = build.build_mutant(mutation, text, pathlib.Path(scratch))
        if message is not None:
            first = next((line for line in message.splitlines() if "error" in line), message.strip()[:200])
            return "not compiled", first
        passed, why = run_tests(pathlib.Path(scratch) / build.program, arguments.filter, arguments.limit)
    return ("survived", "") if passed else ("killed", why)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a folder of src/ with a list in tests/mutations/")
    parser.add_argument("--only", default="", help="mutations whose number, file or reason contains this")
    parser.add_argument("--filter", default="*", help="--gtest_filter of the test program")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once")
    parser.add_argument("--limit", type=float, default=600, help="seconds for the tests of one mutant")
    parser.add_argument("--at-least", type=float, default=90, help="percent that must be killed")
    parser.add_argument("--build", default=str(ROOT / "build/release"), help="folder of the release build")
    parser.add_argument("--list", action="store_true", help="print the mutations and whether they apply")
    arguments = parser.parse_args()

    program, mutations = read_list(ROOT / "tests/mutations" / f"{arguments.folder}.txt")
    chosen = [m for m in mutations if arguments.only in (str(m.number), "")
              or (not arguments.only.isdigit() and arguments.only in f"{m.file} {m.reason}")]
    if not chosen:
        sys.exit(f"no mutation contains '{arguments.only}'")
    if arguments.list:
        stale = 0
        for mutation in chosen:
            try:
                mutated_text(mutation)
                state = ""
            except ValueError as error:
                state, stale = f"  DOES NOT APPLY: {error}", stale + 1
            print(f"{mutation.number:3} {mutation.file}: {mutation.reason}{state}")
        return 1 if stale else 0

    built = subprocess.run(["cmake", "--build", arguments.build, "--target", program])
    if built.returncode != 0:
        return 1
    build = Build(pathlib.Path(arguments.build).resolve(), program)
    passed, why = run_tests(build.folder / "tests" / program, arguments.filter, arguments.limit)
    if not passed:
        sys.exit(f"{program} fails without any mutation: {why}")

    counts: dict[str, int] = {}
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {pool.submit(try_mutation, m, build, arguments): m for m in chosen}
        for run in concurrent.futures.as_completed(runs):
            mutation, (result, detail) = runs[run], run.result()
            counts[result] = counts.get(result, 0) + 1
            print(f"{result:14} {mutation.number:3} {mutation.file}: {mutation.reason}"
                  + (f"  ({detail})" if detail else ""), flush=True)
    killed, survived = counts.get("killed", 0), counts.get("survived", 0)
    percent = 100 * killed / max(1, killed + survived)
    broken = len(chosen) - killed - survived
    print(f"{arguments.folder}: {killed} killed, {survived} survived, {broken} not tried; {percent:.0f}% killed "
          f"in {time.monotonic() - began:.0f} s")
    return 0 if percent >= arguments.at_least and broken == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
