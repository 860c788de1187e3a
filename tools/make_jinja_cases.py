#!/usr/bin/env python3
"""Writes tests/fixtures/jinja/*.jsonl: what Jinja2 makes of small templates.

The environment is that of the hub's chat templates: trim_blocks, lstrip_blocks, loopcontrols, raise_exception,
strftime_now (26 July 2026), tojson as json.dumps with ensure_ascii=False, and a `generation` tag that renders its
body. The files in the repository were made with Jinja2 3.1.6 on Python 3.11; their first line names the version.

    python3 tools/make_jinja_cases.py tests/fixtures/jinja
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.nodes

from jinja_cases import CASES

NOW = datetime.datetime(2026, 7, 26)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment(options):
    settings = {"trim_blocks": True, "lstrip_blocks": True, **options}
    made = jinja2.Environment(extensions=["jinja2.ext.loopcontrols", Generation], **settings)
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    made.filters["tojson"] = tojson
    return made


def answer(case):
    result = dict(case)
    try:
        template = environment(case.get("options", {})).from_string(case["template"])
        result["output"] = template.render(**case.get("context", {}))
    except Exception as error:  # whatever a template raises is the expected answer
        result["error"] = type(error).__name__
        if isinstance(error, jinja2.exceptions.TemplateError):
            result["message"] = str(error.message).replace("\n", "\\n")
    return result


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, cases in CASES.items():
        lines = [{"made_with": f"Jinja2 {jinja2.__version__}, Python {sys.version.split()[0]}"}]
        for case in cases:
            if isinstance(case, str):
                case = {"template": case}
            elif isinstance(case, tuple):
                case = dict(zip(("template", "context", "options"), case))
            lines.append(answer(case))
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
