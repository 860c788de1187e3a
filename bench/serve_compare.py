#!/usr/bin/env python3
"""Puts the same load on r1 and on llama.cpp's server in turn, with the same model file, and prints medians and ratios.

  bench/serve_compare.py MODEL.gguf --peer LLAMA-SERVER [--rounds 2] [--concurrency 16 32] [-p 12] [-n 32] [--lookup N]

Both servers get the same threads and room for the largest concurrency; `r1 bench serve` makes the load: a closed loop,
two requests for each place, prompts that no cache has seen. With a model whose text repeats itself, --lookup 0 keeps
r1 from drafting what comes next, which the peer does not do.
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_healthy(process, port):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise SystemExit("the server did not become healthy in two minutes")


def resident_mebibytes(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def load(arguments, command, port):
    """One server's figures at each concurrency, and its peak memory."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        try:
            wait_until_healthy(process, port)
            figures = {}
            for requests in [1] + arguments.concurrency:  # the first warms the file's pages
                run = subprocess.run([arguments.r1, "bench", "serve", f"http://127.0.0.1:{port}", "-c", str(requests),
                                      "-N", str(requests if requests == 1 else 2 * requests), "-p",
                                      str(arguments.prompt_words), "-n", str(arguments.output_tokens), "--json"],
                                     capture_output=True, text=True)
                try:
                    figures[requests] = json.loads(run.stdout)
                except json.JSONDecodeError:
                    print(f"{command[0]}, {requests} at once: no figures ({run.stderr.strip()})", flush=True)
                    figures[requests] = {}
                    continue
                if figures[requests]["failed"] or figures[requests]["without_text"]:
                    print(f"{command[0]}, {requests} at once: {figures[requests]['failed']} failed "
                          f"({figures[requests].get('first_error')}), {figures[requests]['without_text']} without text",
                          flush=True)
            return figures, resident_mebibytes(process)
        finally:
            process.terminate()
            process.wait(60)


def figure(side, requests, key, part):
    """A figure of a server, None where it has none: it failed, or its answers had no text."""
    value = side[0][requests].get(key)
    if part is not None:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, (int, float)) and value > 0 else None


def median(values):
    values = [value for value in values if value is not None]
    return f"{statistics.median(values):.2f}" if values else "–"


def ratio(ours, theirs):
    ratios = sorted(a / b for a, b in zip(ours, theirs) if a is not None and b is not None)
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}, {ratios[-1]:.2f})" if ratios else "–"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--peer", type=pathlib.Path, required=True)
    parser.add_argument("--r1", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "build/release/r1")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16, 32])
    parser.add_argument("-p", "--prompt-words", type=int, default=12)
    parser.add_argument("-n", "--output-tokens", type=int, default=32)
    parser.add_argument("--lookup", type=int, default=5, help="tokens that r1 drafts from earlier text a step")
    arguments = parser.parse_args()
    places = max(arguments.concurrency)
    context = 2 * (arguments.prompt_words + arguments.output_tokens) + 128
    rounds = []
    for _ in range(arguments.rounds):
        port = free_port()
        ours = load(arguments, [arguments.r1, "serve", arguments.model, "--port", port, "-t", arguments.threads,
                                "--max-num-seqs", places, "-c", context, "--lookup", arguments.lookup], port)
        port = free_port()
        theirs = load(arguments, [arguments.peer, "-m", arguments.model, "--host", "127.0.0.1", "--port", port, "-t",
                                  arguments.threads, "-np", places, "-c", places * context, "--no-webui"], port)
        rounds.append((ours, theirs))
    print(f"{arguments.model}: {arguments.rounds} rounds, {arguments.threads} threads, about {arguments.prompt_words} "
          f"words in, {arguments.output_tokens} tokens out; peak memory r1 {rounds[0][0][1]:.0f} MiB, "
          f"peer {rounds[0][1][1]:.0f} MiB")
    print("| | r1 | peer | ratio (median, lowest, highest) |\n|---|---|---|---|")
    for requests in arguments.concurrency:
        for name, key, part in [("tokens/s in all", "total_tokens_per_second", None),
                                ("tokens/s generated", "output_tokens_per_second", None),
                                ("TTFT p50, s", "ttft_seconds", "p50"), ("TTFT p95, s", "ttft_seconds", "p95"),
                                ("ITL p95, s", "itl_seconds", "p95"), ("E2E p95, s", "e2e_seconds", "p95")]:
            ours = [figure(entry[0], requests, key, part) for entry in rounds]
            theirs = [figure(entry[1], requests, key, part) for entry in rounds]
            print(f"| {requests} at once: {name} | {median(ours)} | {median(theirs)} | {ratio(ours, theirs)} |", flush=True)


if __name__ == "__main__":
    main()
