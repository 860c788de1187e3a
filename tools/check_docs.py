#!/usr/bin/env python3
"""Checks that links, files and folders named in the documentation, and files named in comments of sources, exist."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\s]+)`")
FENCE = re.compile(r"^\s*(```|~~~)")
# The folders that a name may be relative to.
BASES = ("", "src/", "docs/", "tests/", "web/", "tools/")
# A name counts as a file of this project when it begins with one of these folders or ends like a source.
FOLDERS = ("src/", "tests/", "docs/", "tools/", "bench/", "fuzz/", "recipes/", "models/", "cmake/", "web/src/", "base/", "tensor/",
           "formats/", "kernels/", "text/", "grammar/", "nn/", "model/", "engine/", "train/", "grade/", "tasks/", "eval/", "rl/",
           "sandbox/", "report/", "server/", "cli/")
SOURCE = re.compile(r"^[\w./-]+\.(h|cpp|cu|py|sh|mjs|ts|tsx)$")
# Names of files that the program writes or reads elsewhere.
ELSEWHERE = re.compile(r"[*<>{}$…]|^/|^~|^https?:|^models/blobs|^build/|(^|[/_])(NAME|X)([_./]|$)")
# Sources of other projects, and sources that the build generates.
KNOWN = {"ggml-common.h", "official_prompts.cpp", "llama.cpp", "r1.cpp", "llama-vocab.cpp", "convert_lora_to_gguf.py", "gguf.md"}
# Files that the program writes, examples.
WRITTEN = {"report.md", "main.py"}
# A file that a comment of a source names.
NAMED = re.compile(r"(?<![\w./*<{-])([\w./-]*\w\.(?:h|cpp|inc\.h|py|sh|mjs|tsx?|md))(?![\w*])")
COMMENTED = (".h", ".cpp", ".py", ".sh", ".ts", ".tsx", ".mjs", ".txt")


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    found = set()
    for line in text.splitlines():
        if line.startswith("#"):
            title = re.sub(r"[`*]", "", line.lstrip("#").strip()).lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def complaints(page: pathlib.Path, names: set[str], folders: set[str]) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
            continue
        place = f"{page.relative_to(ROOT)}:{number}"
        for target in [] if fenced else LINK.findall(line):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            aim = (page.parent / path).resolve() if path else page
            if not aim.exists():
                found.append(f"{place}: link to '{target}': no such file")
            elif anchor and aim.suffix == ".md" and anchor not in slugs(aim.read_text(encoding="utf-8")):
                found.append(f"{place}: link to '{target}': no such heading")
        for name in CODE.findall(line):
            name = name.split(":")[0].rstrip("/.,;")
            if ELSEWHERE.search(name) or not (name.startswith(FOLDERS) or SOURCE.match(name)):
                continue
            exists = any(base + name in names or base + name in folders for base in BASES)
            exists |= any(base + name + ending in names for base in BASES for ending in (".h", ".cpp", ".inc.h"))
            exists |= name in KNOWN or any(known.endswith("/" + name) for known in names)
            if not exists and (name.startswith(("src/", "tests/", "docs/", "tools/")) or SOURCE.match(name)):
                found.append(f"{place}: `{name}`: no such file or folder")
    return found


def comment_complaints(source: pathlib.Path, endings: set[str]) -> list[str]:
    found = []
    begin = "#" if source.suffix in (".py", ".sh", ".txt") else "//"
    for number, line in enumerate(source.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        comment = line.partition(begin)[2]
        for name in NAMED.findall(comment):
            name = name.lstrip("./")
            known = name in endings or pathlib.PurePosixPath(name).name in KNOWN | WRITTEN or name.startswith("shared/")
            if not known and not ELSEWHERE.search(name):
                found.append(f"{source.relative_to(ROOT)}:{number}: comment names '{name}': no such file")
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    names = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    folders = {str(parent) for name in names for parent in pathlib.PurePosixPath(name).parents}
    pages = [ROOT / name for name in sorted(names) if name.endswith(".md")]
    found = [text for page in pages for text in complaints(page, names, folders)]
    # Every way to name a file: its path, from any folder of it on.
    parts = [pathlib.PurePosixPath(name).parts for name in names]
    endings = {"/".join(path[i:]) for path in parts for i in range(len(path))}
    sources = [ROOT / name for name in sorted(names) if name.endswith(COMMENTED)
               and name.startswith(("src/", "tests/", "bench/", "fuzz/", "tools/", "web/src/", "CMakeLists"))]
    found += [text for source in sources for text in comment_complaints(source, endings)]
    print("\n".join(found) if found else f"{len(pages)} pages, {len(sources)} sources: links and file names exist")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
