#!/usr/bin/env python3
"""Keeps `r1 serve` under a bounded mixed load on loopback and says whether its memory stays flat.

    bench/serve_soak.py build/release/r1 [--minutes 30] [--clients 12] [--rate 12] [--vanish 0.3] [--seed 1]
                        [--model FILE]

The load is that of tools/serve_faults.py: streams and whole answers, n > 1, schemas, tools, resumed streams, all APIs,
the chat site's conversations, files and search, and clients that vanish. Without --model the model that ships is asked.
Prints a line a minute and, at the end, the slope of the anonymous memory over the second half (least squares). Exit
code 1 when memory, descriptors or threads grew over that half, at a 500, and when the server does not end with 0.
"""
import argparse
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import serve_faults  # noqa: E402

SAMPLE_SECONDS = 10
GROWTH_ALLOWED = 0.02  # of the memory, over the second half: what a malloc's arenas move by


class Soaker(serve_faults.Client):
    """A client of one model that keeps to its share of the rate."""

    def __init__(self, *arguments, pause):
        super().__init__(*arguments)
        self.pause = pause  # seconds between two requests, on average

    def model(self):
        return "soaked"

    def ask(self, *arguments, **more):
        time.sleep(self.random.expovariate(1 / self.pause))
        return super().ask(*arguments, **more)


def status_of(process):
    """(resident MiB, anonymous MiB, open descriptors, threads)"""
    figures = dict(line.split(":", 1) for line in
                   pathlib.Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines())
    mebibytes = lambda name: int(figures[name].split()[0]) / 1024
    return (mebibytes("VmRSS"), mebibytes("RssAnon"), len(os.listdir(f"/proc/{process}/fd")), int(figures["Threads"]))


def blocks_of(port):
    """Blocks of the cache by state."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return {state: int(count) for state, count in re.findall(r'r1_kv_blocks{[^}]*state="(\w+)"} (\d+)', text)}


def slope(times, values):
    """Of the straight line with the least squares, per second."""
    mean_time, mean_value = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    return sum((time - mean_time) * (value - mean_value) for time, value in zip(times, values)) / spread


def watch(server, port, counts, ends, seconds):
    """A sample each ten seconds, a line each minute; the samples."""
    print("| minute | resident MiB | anonymous MiB | descriptors | threads | requests | vanished | errors | "
          "blocks used | cached | free |\n|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    samples = []
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(SAMPLE_SECONDS)
        if server.poll() is not None:
            ends.fail(f"the server ended with {server.returncode}")
            break
        passed = time.monotonic() - began
        samples.append((passed, *status_of(server.pid)))
        if len(samples) % (60 // SAMPLE_SECONDS) == 0:
            blocks = blocks_of(port)
            seen = list(counts.items())
            done = sum(count for (kind, *_), count in seen if kind != "deed")
            vanished = sum(count for key, count in seen if key[0] == "deed" and key[2] == "vanished")
            errors = sum(count for key, count in seen if key[0] == "deed" and key[2] not in ("vanished", "to the end"))
            _, resident, anonymous, descriptors, threads = samples[-1]
            print(f"| {passed / 60:.0f} | {resident:.1f} | {anonymous:.1f} | {descriptors} | {threads} | "
                  f"{done} | {vanished} | {errors} | " +
                  " | ".join(str(blocks.get(state, "")) for state in ("used", "cached", "free")) + " |", flush=True)
    return samples


def judge(samples, ends):
    """Prints what happened in the second half; fails where something grew."""
    half = samples[len(samples) // 2:]
    if len(half) < 6:
        return print("too short to say whether memory is flat")
    times = [sample[0] for sample in half]
    for column, name, allowed in ((1, "resident MiB", GROWTH_ALLOWED), (2, "anonymous MiB", GROWTH_ALLOWED),
                                  (3, "descriptors", 0.5), (4, "threads", 0.5)):
        values = [sample[column] for sample in half]
        growth = slope(times, values) * (times[-1] - times[0])
        flat = growth <= max(allowed * sum(values) / len(values), 0.5)
        print(f"second half, {name}: {min(values):.1f} to {max(values):.1f}, slope {growth:+.2f} over "
              f"{(times[-1] - times[0]) / 60:.0f} minutes: {'flat' if flat else 'GROWS'}")
        if not flat:
            ends.fail(f"{name}: grew by {growth:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--rate", type=float, default=12, help="requests a second of all clients, at most")
    parser.add_argument("--vanish", type=float, default=0.3, help="share of requests that are cut off")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", help="if not given: the model that ships")
    parser.add_argument("--log", default=os.devnull, help="the server's output")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="r1-soak-") as folder, open(arguments.log, "w", encoding="utf-8") as log:
        os.mkdir(f"{folder}/texts")
        with open(f"{folder}/texts/counting.txt", "w", encoding="utf-8") as text:
            text.write(serve_faults.LONG)
        server = subprocess.Popen(
            [arguments.program, "serve", *([arguments.model] if arguments.model else []),
             "--served-model-name", "soaked", "--port", "0", "--site-folder", f"{folder}/site", "--kv-gib", "0.05",
             "--drain-seconds", "2", "-t", "2"],
            stdout=subprocess.PIPE, stderr=log, text=True)
        line = server.stdout.readline()
        if not line.startswith("listening on"):
            sys.exit("the server does not begin; --log FILE has its words")
        port = int(line.rsplit(":", 1)[1])
        counts, ends = collections.Counter(), serve_faults.Ends(patience=120, turn=1)
        serve_faults.Client(9999, port, 0, arguments.seed, counts, ends).site(
            "POST", "/index", {"location": f"{folder}/texts"})
        for number in range(arguments.clients):
            client = Soaker(number, port, arguments.vanish, arguments.seed, counts, ends,
                            pause=arguments.clients / arguments.rate)
            threading.Thread(target=client.run, daemon=True).start()
        samples = watch(server, port, counts, ends, arguments.minutes * 60)
        failures = ends.failures
        judge(samples, ends)
        ends.stopping = ends.over = True
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=60)
    for key, count in sorted(counts.items(), key=str):
        print(count, *key)
    print(f"ended with exit code {code}")
    for message in failures[:20]:
        print("FOUND:", message)
    sys.exit(0 if code == 0 and not failures else 1)


if __name__ == "__main__":
    main()
