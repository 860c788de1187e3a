#!/usr/bin/env python3
"""Checks that a folder of src/ includes only folders on lower floors (docs/architecture.md)."""
import pathlib
import re
import sys

FLOOR = {
    "base": 0, "sandbox": 1, "tensor": 1, "text": 1, "formats": 2, "kernels": 2, "nn": 3, "grammar": 3, "grade": 3,
    "tasks": 3, "report": 3, "model": 4, "engine": 5, "train": 5, "eval": 6, "rl": 6, "server": 6, "cli": 7,
}
# The rooms of a large folder have floors of their own; files of the folder itself are above all of them.
ROOMS = {
    "server": {"content": 0, "http": 0, "access": 1, "models": 2, "api": 3, "site": 4},
}
# The inside of a room that nobody else includes, but for these files: a backend is reached through nn/backend.h.
PRIVATE = {("nn", "cpu"): {"nn/context.cpp"}}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(parts: tuple[str, ...]) -> str:
    """The room inside of a folder with rooms; "" for the folder's own files."""
    return parts[1] if len(parts) > 2 else ""


def complaint(place: str, parts: tuple[str, ...], target: tuple[str, ...]) -> str:
    """Why the file `parts` may not include `target`; "" when it may."""
    folder, other = parts[0], target[0]
    inside = target[:2]
    if inside in PRIVATE and parts[:2] != inside and "/".join(parts) not in PRIVATE[inside]:
        return f"{place}: only {'/'.join(inside)} may include {'/'.join(target)}"
    if other not in FLOOR:
        return f"{place}: '{'/'.join(target)}' is not a path from src/"
    if other != folder:
        if FLOOR[other] >= FLOOR[folder]:
            return f"{place}: {folder} (floor {FLOOR[folder]}) may not include {other} (floor {FLOOR[other]})"
        return ""
    rooms, room, wanted = ROOMS.get(folder, {}), room_of(parts), room_of(target)
    if room not in rooms or room == wanted:
        return ""
    if wanted not in rooms or rooms[wanted] >= rooms[room]:
        return f"{place}: {folder}/{room} may not include {'/'.join(target)}"
    return ""


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    bad = 0
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".cuh", ".inc"}):
        parts = path.relative_to(root).parts
        folder = parts[0]
        if folder not in FLOOR:
            print(f"{path.relative_to(root.parent)}: folder '{folder}' has no floor")
            bad += 1
            continue
        if folder in ROOMS and room_of(parts) and room_of(parts) not in ROOMS[folder]:
            print(f"{path.relative_to(root.parent)}: room '{folder}/{room_of(parts)}' has no floor")
            bad += 1
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            found = complaint(f"{path.relative_to(root.parent)}:{number}", parts, tuple(match.group(1).split("/")))
            if found:
                print(found)
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
