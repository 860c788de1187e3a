#!/usr/bin/env python3
"""Samples an hour: `r1 eval`, where the samples of a question share a prefill and are decoded together, against the same requests to
llama.cpp's server, in turn, with the same model file.

  bench/eval_samples.py MODEL.gguf [--peer LLAMA-SERVER] [--tokens 256 2048] [-k 64] [--questions 2] [--rounds 2]

MODEL needs a chat template; `r1 debug synth qwen2-1.5b MODEL.gguf --tokenizer DIR` makes one with random weights. The peer gets each
sample as a chat completion with its own seed, all of them at once, with its prompt cache on, and is told to ignore the end of the
text; of both sides generated tokens are counted, and a sample is --tokens of them. Without --peer: r1 alone.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time
import urllib.request

from serve_compare import free_port, median, ratio, wait_until_healthy

DIRECTIVE = "\nPlease reason step by step, and put your final answer within \\boxed{}."
WORDS = "river stone amber window seven proof garden copper night number field angle train paper silver music".split()


def make_questions(arguments):
    draw = random.Random(arguments.seed)
    return [" ".join(draw.choice(WORDS) for _ in range(arguments.prompt_words)) + "?"
            for _ in range(arguments.questions)]


def ours(arguments, questions, tokens, folder):
    """Tokens a second of one run of `r1 eval`."""
    data = folder / "questions.jsonl"
    data.write_text("".join(json.dumps({"id": str(i), "question": text, "answer": "0"}) + "\n"
                            for i, text in enumerate(questions)))
    out = folder / f"run-{tokens}-{time.time_ns()}"
    command = [arguments.r1, "eval", "math", "--data", data, "--model", arguments.model, "-k", arguments.samples,
               "--batch", arguments.batch, "-t", arguments.threads, "--max-tokens", tokens, "--temp", 1, "--top-p", 1,
               "-c", arguments.prompt_words * 4 + tokens + 256, "--out", out]
    begin = time.monotonic()
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if run.returncode != 0:
        raise SystemExit(f"r1 eval: {run.stderr.strip()}")
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    short = sum(answer["tokens"] < tokens for answer in answers)
    if short:
        print(f"r1: {short} of {len(answers)} answers ended before {tokens} tokens", flush=True)
    return sum(answer["tokens"] for answer in answers) / seconds


def theirs(arguments, questions, tokens, folder):
    """Tokens a second of the peer, its start left out."""
    port = free_port()
    context = arguments.prompt_words * 4 + tokens + 256
    command = [arguments.peer, "-m", arguments.model, "--host", "127.0.0.1", "--port", port, "-t", arguments.threads,
               "-np", arguments.batch, "-c", arguments.batch * context, "--no-webui"]
    with open(folder / "peer.log", "wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        try:
            wait_until_healthy(process, port)

            def ask(question, seed):
                body = json.dumps({"messages": [{"role": "user", "content": question + DIRECTIVE}], "max_tokens": tokens,
                                   "temperature": 1, "top_p": 1, "top_k": 0, "min_p": 0, "seed": seed, "ignore_eos": True,
                                   "cache_prompt": True}).encode()
                request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body,
                                                 {"Content-Type": "application/json"})
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)["usage"]["completion_tokens"]

            begin = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(arguments.batch) as pool:
                jobs = [pool.submit(ask, question, seed) for question in questions for seed in range(arguments.samples)]
                generated = sum(job.result() for job in jobs)
            return generated / (time.monotonic() - begin)
        finally:
            process.terminate()
            process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--peer", type=pathlib.Path)
    parser.add_argument("--r1", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "build/release/r1")
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 2048])
    parser.add_argument("-k", "--samples", type=int, default=64)
    parser.add_argument("--questions", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="samples decoded at once, on both sides")
    parser.add_argument("-p", "--prompt-words", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    questions = make_questions(arguments)
    print(f"{arguments.model}: {arguments.questions} questions of about {arguments.prompt_words} words, "
          f"{arguments.samples} samples each, {arguments.batch} at once, {arguments.threads} threads, "
          f"{arguments.rounds} rounds")
    print("| tokens of a sample | r1, samples/hour | peer, samples/hour | ratio (median, lowest, highest) |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for tokens in arguments.tokens:
            rates = [(ours(arguments, questions, tokens, folder),
                      theirs(arguments, questions, tokens, folder) if arguments.peer else None)
                     for _ in range(arguments.rounds)]
            left = [3600 * rate[0] / tokens for rate in rates]
            right = [3600 * rate[1] / tokens if rate[1] else None for rate in rates]
            print(f"| {tokens} | {statistics.median(left):.0f} | {median(right)} | {ratio(left, right)} |", flush=True)


if __name__ == "__main__":
    main()
