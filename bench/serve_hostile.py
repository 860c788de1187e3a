#!/usr/bin/env python3
"""What one hostile key does to another key's short answers: the p95 of a modest client alone, and beside each attack.

  bench/serve_hostile.py build/release/r1 [--model FILE] [--seconds 10] [--only NAME …]

Starts `r1 serve` on loopback with two keys in a folder of its own. Prints a table: p50 and p95 of the modest client, the
ratio of the p95 to the one alone, how the attacks were answered, and the server's peak memory. Ends the server with TERM in
the middle of the last attack and says how long that took. Exit code 1: the server ended by itself, or TERM took too long.
"""
import argparse
import collections
import http.client
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

DRAIN_SECONDS = 2


def post(port, path, body, key, timeout=60, headers=None):
    """The status and the body; 0 when the connection broke."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, data, {"Content-Type": "application/json", "Authorization": f"Bearer {key}",
                                                "X-R1-Site": "1", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def chat(**more):
    return {"messages": [{"role": "user", "content": "What is 3 + 4?"}], "max_tokens": 8, **more}


def many_answers(port, key):
    yield post(port, "/v1/chat/completions", chat(n=128, max_tokens=500, ignore_eos=True), key)


def priority(port, key):
    yield post(port, "/v1/chat/completions", chat(priority=1_000_000, max_tokens=500, ignore_eos=True), key)


def regex(port, key):
    yield post(port, "/v1/chat/completions", chat(guided_regex=r"(\w?){1000}"), key)
    yield post(port, "/v1/chat/completions", chat(guided_regex=r"(\w?){3000}"), key)


def schema(port, key):
    one = {"oneOf": [{"const": f"word {i} {time.monotonic_ns()}"} for i in range(12_000)]}
    yield post(port, "/v1/chat/completions", chat(guided_json=one), key)


def embeddings(port, key):
    body = json.dumps({"input": ["one two three four " * 20] * 2048}).encode()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Authorization: Bearer " + key.encode() + b"\r\nContent-Length: " + str(len(body)).encode() +
                       b"\r\n\r\n" + body)
        time.sleep(0.5)
    yield 0, b""


def search_words(port, key):
    yield post(port, "/api/site/search", {"query": " ".join(f"word{i}" for i in range(20_000))}, key)


def content_parts(port, key):
    parts = [{"type": "text", "text": "x"}] * 200_000
    yield post(port, "/v1/chat/completions", chat(messages=[{"role": "user", "content": parts}]), key)


def import_nodes(port, key):
    nodes = [{"id": f"question-{i}", "parent": None, "role": "user", "created": 1, "content": "x", "files": []}
             for i in range(150_000)]
    document = {"format": "r1-conversations", "version": 1, "conversations": [
        {"id": "conversation-1", "title": "t", "created": 1, "updated": 1, "leaf": None, "running": None, "nodes": nodes,
         "files": []}]}
    yield post(port, "/api/site/import", document, key)


def many_lists(port, key):
    yield post(port, "/v1/completions", {"prompt": ["a"] * 64, "n": 128, "max_tokens": 4,
                                         "stop_token_ids": [i % 100 for i in range(1_000_000)]}, key)
    yield post(port, "/v1/completions", {"prompt": ["a"] * 64, "n": 128, "max_tokens": 4}, key)


def same_file(port, key):
    status, body = post(port, "/api/site/files?name=a.txt", b"some text " * 100_000, key,
                        headers={"Content-Type": "text/plain"})
    if status == 201:
        file = json.loads(body)["id"]
        yield post(port, "/api/site/context", {"content": "what?", "files": [file] * 1000, "conversation": None,
                                               "parent": None}, key)
    else:
        yield status, body


def silent_bodies(port, key):
    clients = []
    for _ in range(32):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"POST /api/site/import HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33000000\r\n\r\n" + b" " * 65536)
        clients.append(client)
    time.sleep(2)
    for client in clients:
        client.close()
    yield 0, b""


def slow_readers(port, key):
    clients = []
    for _ in range(16):
        body = json.dumps(chat(n=32, max_tokens=64, logprobs=True, top_logprobs=20, ignore_eos=True)).encode()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Authorization: Bearer " + key.encode() + b"\r\nContent-Length: " + str(len(body)).encode() +
                       b"\r\n\r\n" + body)
        clients.append(client)
    time.sleep(3)
    for client in clients:
        client.close()
    yield 0, b""


def long_prompts(port, key):
    words = " ".join(str(i) for i in range(400))
    yield post(port, "/v1/completions", {"prompt": [f"{time.monotonic_ns()} {i} {words}" for i in range(64)],
                                         "max_tokens": 1}, key)


ATTACKS = {"n = 128": many_answers, "priority 1,000,000": priority, "regex (\\w?){1000}": regex,
           "schemas of 12,000 constants": schema, "2,048 embeddings, client leaves": embeddings,
           "search of 20,000 words": search_words, "200,000 content parts": content_parts,
           "import of 150,000 nodes": import_nodes, "64 prompts x 128 x 1,000,000 stops": many_lists,
           "the same file 1,000 times": same_file, "32 silent bodies without a key": silent_bodies,
           "readers that do not read": slow_readers, "64 long prompts": long_prompts}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def modest(port, key, seconds):
    """Seconds that each of a row of short answers took; an answer that is not 200 counts as the whole time."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        status, _ = post(port, "/v1/chat/completions", chat(), key)
        times.append(time.monotonic() - begin if status == 200 else seconds)
        time.sleep(0.02)
    return times


def attack(port, key, function, end, answers):
    statuses = collections.Counter()
    os.nice(19)  # real clients compute elsewhere
    while time.monotonic() < end:
        try:
            for status, _ in function(port, key):
                statuses[status] += 1
        except OSError:
            statuses[0] += 1
    answers.put(statuses)


def memory(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1")
    parser.add_argument("--model", help="a model file; not given: the one that ships")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--attackers", type=int, default=4, help="processes of each attack")
    parser.add_argument("--only", nargs="*", help="attacks whose name has one of these words in it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HOME": folder, "XDG_DATA_HOME": folder}
        program = os.path.abspath(arguments.r1)
        keys = [subprocess.run([program, "keys", "create", name], env=environment, capture_output=True, text=True,
                               check=True).stdout.strip() for name in ("modest", "hostile")]
        command = [program, "serve", "--port", "0", "--require-keys", "--drain-seconds", str(DRAIN_SECONDS)]
        if arguments.model:
            command += ["-m", os.path.abspath(arguments.model)]
        log = open(os.path.join(folder, "log"), "w+")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            modest(port, keys[0], 2)
            alone = modest(port, keys[0], arguments.seconds)
            base = percentile(alone, 0.95)
            print(f"{'':36} {'p50 ms':>8} {'p95 ms':>8} {'ratio':>6}  {'peak MiB':>8}  answers to the attack")
            print(f"{'alone':36} {percentile(alone, 0.5) * 1000:8.0f} {base * 1000:8.0f} {1:6.2f}  {memory(process):8.0f}")
            failed = False
            chosen = {name: function for name, function in ATTACKS.items()
                      if not arguments.only or any(word in name for word in arguments.only)}
            for number, (name, function) in enumerate(chosen.items()):
                end = time.monotonic() + arguments.seconds
                # Processes: threads would share one interpreter's lock with the modest client.
                answers = multiprocessing.Queue()
                attackers = [multiprocessing.Process(target=attack, args=(port, keys[1], function, end, answers),
                                                     daemon=True) for _ in range(arguments.attackers)]
                for attacker in attackers:
                    attacker.start()
                time.sleep(0.3)
                times = modest(port, keys[0], arguments.seconds - 0.3)
                if process.poll() is not None:
                    print(f"{name:36} the server ended with {process.returncode}")
                    failed = True
                    break
                p95 = percentile(times, 0.95)
                last = number + 1 == len(chosen)
                statuses = collections.Counter()
                if not last:
                    for attacker in attackers:
                        attacker.join(timeout=5)
                        attacker.terminate()  # it waits for an answer: the server sees that its client left
                        attacker.join()
                    while not answers.empty():
                        statuses += answers.get()
                shown = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(statuses.items()))
                print(f"{name:36} {percentile(times, 0.5) * 1000:8.0f} {p95 * 1000:8.0f} {p95 / base:6.2f}  "
                      f"{memory(process):8.0f}  {shown}", flush=True)
            if process.poll() is None:
                begin = time.monotonic()
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=DRAIN_SECONDS + 30)
                except subprocess.TimeoutExpired:
                    pass
                took = time.monotonic() - begin
                print(f"TERM during the last attack: ended after {took:.1f} s (drain {DRAIN_SECONDS} s)")
                failed = failed or took > DRAIN_SECONDS + 6
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            log.close()
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
