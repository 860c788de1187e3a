#!/usr/bin/env python3
"""Runs r1 and a peer in turn on the same model files and prints medians and ratios.

  bench/compare.py --peer PATH [--rounds 3] [--threads 2] [--kernels avx2] MODEL.gguf …

PATH is a folder with llama-bench and llama-batched-bench of the llama.cpp family, or another build of r1. Both programs
get the same threads and the same sizes: 512 tokens of prefill; decode of 1, 8 and 32 sequences. Prints tokens per
second (all sequences together).
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess


def run(command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def of_r1(program, arguments, model):
    report = json.loads(run([program, "bench", model, "-p", 512, "-n", arguments.steps, "-b", "1,8,32", "-r", 1,
                             "-t", arguments.threads, "--kernels", arguments.kernels, "--json"]))
    figures = {}
    for entry in report["runs"]:
        name = "prefill 512" if entry["kind"] == "prefill" else f"decode {entry['sequences']}"
        figures[name] = entry["tokens_per_second"]
    return figures, report["limits"], report["load_to_first_token_seconds"], report["peak_memory_bytes"]


def of_peer(arguments, model):
    if arguments.peer.is_file():
        return of_r1(arguments.peer, arguments, model)[0]
    figures = {}
    single = json.loads(run([arguments.peer / "llama-bench", "-m", model, "-p", 512, "-n", arguments.steps, "-r", 1,
                             "-t", arguments.threads, "-o", "json"]))
    for entry in single:
        figures["prefill 512" if entry["n_prompt"] else "decode 1"] = entry["avg_ts"]
    text = run([arguments.peer / "llama-batched-bench", "-m", model, "-c", 4096, "-npp", 16, "-ntg", arguments.steps,
                "-npl", "8,32", "-t", arguments.threads, "-b", 2048, "-ub", 512])
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        # | PP | TG | B | N_KV | T_PP | S_PP | T_TG | S_TG | T | S |
        if len(cells) > 9 and re.fullmatch(r"\d+", cells[1]):
            figures[f"decode {cells[3]}"] = float(cells[8])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--peer", type=pathlib.Path, required=True)
    parser.add_argument("--r1", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "build/release/r1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--kernels", default="best")
    arguments = parser.parse_args()
    for model in arguments.models:
        rounds = [(of_r1(arguments.r1, arguments, model), of_peer(arguments, model)) for _ in range(arguments.rounds)]
        read = statistics.median(entry[0][1]["read_bytes_per_second"] for entry in rounds) / 1e9
        load = statistics.median(entry[0][2] for entry in rounds)
        print(f"\n{model}: {arguments.rounds} rounds, {arguments.threads} threads, {arguments.kernels} kernels; "
              f"read {read:.1f} GB/s, load {load:.2f} s, peak {rounds[0][0][3] / 2**20:.0f} MiB", flush=True)
        print(f"| | r1 | peer | ratio (median, lowest, highest) |\n|---|---|---|---|")
        for name in ["prefill 512", "decode 1", "decode 8", "decode 32"]:
            a = [entry[0][0][name] for entry in rounds]
            b = [entry[1][name] for entry in rounds]
            ratios = sorted(x / y for x, y in zip(a, b))
            print(f"| {name} | {statistics.median(a):.1f} | {statistics.median(b):.1f} | "
                  f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}, {ratios[-1]:.2f}) |", flush=True)


if __name__ == "__main__":
    main()
