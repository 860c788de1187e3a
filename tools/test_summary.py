#!/usr/bin/env python3
"""Prints why tests were skipped and how many passed, from the file that `ctest --output-junit FILE` writes.

    tools/test_summary.py build/release/tests.xml

The last line is "N passed, N failed, N skipped". Exit 1 when a test failed or none ran.
"""
import collections
import re
import sys
import xml.etree.ElementTree

# googletest prints "FILE:LINE: Skipped" and the reason on the lines behind it; other tests "skipped: REASON".
GOOGLETEST = re.compile(r"^\S+:\d+: Skipped\n(.+)$", re.MULTILINE)
OTHER = re.compile(r"skipped:\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def reason_of(output: str) -> str:
    found = GOOGLETEST.search(output) or OTHER.search(output)
    return found.group(1).strip() if found else "no reason given"


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    passed, failed = 0, []
    skipped: dict[str, list[str]] = collections.defaultdict(list)
    for test in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        name, status = test.get("name", "?"), test.get("status", "")
        if status == "run":
            passed += 1
        elif status in ("notrun", "disabled") or test.find("skipped") is not None:
            skipped[reason_of(test.findtext("system-out", ""))].append(name)
        else:
            failed.append(name)
    for reason, names in sorted(skipped.items(), key=lambda entry: -len(entry[1])):
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        print(f"skipped {len(names)}: {reason} ({shown})")
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(map(len, skipped.values()))} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
