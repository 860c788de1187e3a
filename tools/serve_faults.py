#!/usr/bin/env python3
"""Drives `r1 serve` on loopback with clients that ask for everything and vanish at will, then ends it with TERM while
answers run. For a program built with a sanitizer (CONTRIBUTING.md), or any other.

    tools/serve_faults.py build/thread/r1 [--seconds 60] [--clients 32] [--vanish 0.3] [--seed 1] [--log FILE]

It makes two tiny models with `r1 debug synth`, of which one is loaded at a time. Fails (exit 1) when the server reports
a sanitizer's finding, answers 500, does not listen any more, or does not end with exit code 0.
"""
import argparse
import collections
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

MARKS = ("Sanitizer", "runtime error:", "terminate called")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
          "required": ["name", "age"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
ID = re.compile(r"[0-9a-f]{24,}|(chatcmpl|conversation|question|answer)-[0-9a-f-]+")
LONG = "One two three four five six seven eight nine ten. " * 12


class Vanished(Exception):
    pass


class Client:
    """One user: a connection a request, sometimes cut off in the middle."""

    def __init__(self, number, port, vanish, seed, counts, ends):
        self.random = random.Random(seed * 1000 + number)
        self.number, self.port, self.vanish = number, port, vanish
        self.counts, self.ends = counts, ends
        self.serial = 0

    def ask(self, method, path, body=None, headers=None, raw=None):
        """The status and the body; Vanished when this client hung up in the middle."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.ends.patience)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, data, headers)
            gone = self.random.random() < self.vanish
            if gone and self.random.random() < 0.3:  # before the first byte of the answer
                time.sleep(self.random.random() * 0.2)
                raise Vanished
            answer = connection.getresponse()
            if gone:
                answer.read(self.random.randint(1, 2000))
                if self.random.random() < 0.5:  # a reset instead of an orderly end
                    connection.sock and connection.sock.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                raise Vanished
            text = answer.read()
            if not self.ends.stopping:
                self.counts[method, ID.sub("*", path.split("?")[0]), answer.status] += 1
            if answer.status == 500:
                self.ends.fail(f"{method} {path}: 500 {text[:300]!r}")
            if answer.status == 503:
                time.sleep(0.1)
            return answer.status, text
        finally:
            connection.close()

    def model(self):
        """The clients change from one model to the other together: only an idle one is unloaded for another."""
        second = int(time.monotonic() / self.ends.turn) % 2 == 1
        return "two" if second != (self.random.random() < 0.05) else "one"

    def chat(self, **more):
        body = {"model": self.model(), "max_tokens": self.random.randint(1, 24),
                "messages": [{"role": "user", "content": f"{LONG}Say {self.random.randint(0, 5)}"}], **more}
        return self.ask("POST", "/v1/chat/completions", body)

    # What the API offers.
    def act_stream(self):
        self.chat(stream=True, stream_options={"include_usage": True})

    def act_whole(self):
        self.chat(n=2, logprobs=True, top_logprobs=3, stop=["e"])

    def act_schema(self):
        self.chat(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
                  thinking={"type": "disabled"}, max_tokens=40)

    def act_tools(self):
        self.chat(tools=[TOOL], tool_choice="required", stream=True, thinking={"type": "disabled"})

    def act_resumed(self):
        body = {"model": self.model(), "max_tokens": 400, "messages": [{"role": "user", "content": LONG}],
                "stream": True, "stream_options": {"resumable": True}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.ends.patience)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        text = connection.getresponse().read(400)
        connection.close()
        if found := re.search(rb"chatcmpl-[0-9a-f]+", text):
            identity = found[0].decode()
            self.ask("POST", f"/v1/requests/{identity}/answer_now", {})
            if self.random.random() < 0.5:
                self.ask("POST", f"/v1/requests/{identity}/cancel", {})
            self.ask("GET", f"/v1/streams/{identity}", headers={"Last-Event-ID": "1"})

    def act_completion(self):
        self.ask("POST", "/v1/completions",
                 {"model": self.model(), "prompt": [LONG, "b"], "max_tokens": 8, "stream": True})

    def act_responses(self):
        self.ask("POST", "/v1/responses",
                 {"model": self.model(), "input": "hello", "max_output_tokens": 12, "stream": True})

    def act_messages(self):
        self.ask("POST", "/v1/messages", {"model": self.model(), "max_tokens": 12, "stream": True,
                                          "messages": [{"role": "user", "content": "hello"}]})

    def act_embeddings(self):
        self.ask("POST", "/v1/embeddings", {"model": self.model(), "input": [LONG, "short"]})

    def act_small(self):
        for method, path, body in (("GET", "/v1/models", None), ("GET", "/metrics", None), ("GET", "/health", None),
                                   ("POST", "/tokenize", {"content": LONG, "with_pieces": True}),
                                   ("GET", "/", None)):
            self.ask(method, path, body)

    def act_nonsense(self):
        self.ask("POST", "/v1/chat/completions", raw=self.random.choice([b"{", b"\xff\xfe", b"[]" * 5000, b"nul"]))
        self.ask("POST", "/v1/chat/completions", {"messages": 5, "colour": 1})
        with socket.create_connection(("127.0.0.1", self.port), self.ends.patience) as plain:
            plain.sendall(self.random.choice([b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\0" * 100,
                                              b"POST /v1/models HTTP/1.1\r\nContent-Le", b"GET / HTTP/9.9\r\n\r\n"]))
            plain.recv(1000) if self.random.random() < 0.5 else None

    # What the chat site does.
    def site(self, method, path, body=None, **more):
        return self.ask(method, "/api/site" + path, body, {"X-R1-Site": "1"}, **more)

    def name(self, kind):
        self.serial += 1
        return f"{kind}-{self.number:04d}-{self.serial:06d}"

    def act_site(self):
        conversation, question, answer = self.name("conversation"), self.name("question"), self.name("answer")
        self.site("PUT", f"/conversations/{conversation}", {"title": "A talk", "created": 1})
        self.site("PUT", f"/conversations/{conversation}/nodes/{question}",
                  {"parent": None, "created": 2, "content": LONG, "files": []})
        start = {"id": answer, "conversation": conversation, "parent": question, "model": self.model(),
                 "search": self.random.random() < 0.3, "sampling": {"max_tokens": 30}}
        self.site("POST", "/answers", start)
        deeds = [("GET", f"/answers/{answer}/events", None), ("POST", f"/answers/{answer}/answer-now", {}),
                 ("POST", f"/answers/{answer}/stop", {}), ("POST", f"/answers/{answer}/continue", {}),
                 ("GET", f"/answers/{answer}/events", None), ("GET", f"/conversations/{conversation}", None),
                 ("GET", f"/conversations/{conversation}/export?format=markdown", None)]
        for deed in deeds:
            if self.random.random() < 0.6:
                self.site(*deed)
        if self.random.random() < 0.3:
            self.site("DELETE", f"/conversations/{conversation}")

    def act_site_small(self):
        for deed in (("GET", "/info"), ("PATCH", "/settings", {"theme": "dark"}), ("GET", "/conversations?limit=5"),
                     ("GET", "/conversations?query=three"), ("GET", "/index"),
                     ("POST", "/search", {"query": "three", "provider": "index", "limit": 3})):
            self.site(*deed)

    def act_upload(self):
        name, data = self.random.choice([("note.csv", b"a,b\n1,2\n" * 50),
                                         ("page.html", b"<p>" + LONG.encode() + b"</p>")])
        status, text = self.site("POST", "/files?name=" + urllib.parse.quote(name), raw=data)
        if status == 201:
            self.site("GET", f"/files/{json.loads(text)['id']}/text")
            self.site("DELETE", f"/files/{json.loads(text)['id']}")

    def act_live(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.ends.patience)
        connection.request("GET", "/api/site/metrics/events")
        connection.getresponse().read(300)
        connection.close()

    def run(self):
        acts = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("act_")]
        while not self.ends.over:
            act = self.random.choice(acts)
            try:
                act()
                self.counts["deed", act.__name__[4:], "to the end"] += 1
            except Vanished:
                self.counts["deed", act.__name__[4:], "vanished"] += 1
            except (OSError, http.client.HTTPException) as error:
                if not self.ends.stopping:
                    self.counts["deed", act.__name__[4:], type(error).__name__] += 1
                    time.sleep(0.05)
            except Exception as error:  # a mistake here, not of the server's
                self.ends.fail(f"{act.__name__}: {error!r}")
                return


class Ends:
    def __init__(self, patience, turn):
        self.over = self.stopping = False
        self.patience, self.turn = patience, turn  # seconds; of clients, of a model
        self.failures = []

    def fail(self, message):
        if not self.stopping:
            self.failures.append(message)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--vanish", type=float, default=0.3, help="share of requests that are cut off")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=120, help="seconds a client waits for a byte")
    parser.add_argument("--turn", type=float, default=8, help="seconds until the clients change the model")
    parser.add_argument("--log", default="", help="the server's output")
    parser.add_argument("--maker", default="", help="program that makes the models; if not given: the same")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="r1-faults-") as folder:
        models = []
        for name, shape in (("one", "tiny-qwen2"), ("two", "tiny-deepseek")):
            models.append(f"{folder}/{name}.gguf")
            maker = arguments.maker or arguments.program
            subprocess.run([maker, "debug", "synth", shape, models[-1], "--type", "Q8_0"], check=True,
                           stdout=subprocess.DEVNULL)
        os.mkdir(f"{folder}/texts")
        with open(f"{folder}/texts/counting.txt", "w", encoding="utf-8") as text:
            text.write(LONG)
        log_path = arguments.log or f"{folder}/log"
        with open(log_path, "w+", encoding="utf-8", errors="replace") as log:
            server = subprocess.Popen(
                [arguments.program, "serve", *models, "--served-model-name", "one", "--served-model-name", "two",
                 "--port", "0", "--site-folder", f"{folder}/site", "--max-model-len", "2048", "--kv-gib", "0.05",
                 "--drain-seconds", "2", "--unload-after", "0.02", "-t", "2"],
                stdout=subprocess.PIPE, stderr=log, text=True)
            line = server.stdout.readline()
            if not line.startswith("listening on"):
                sys.exit(f"the server does not begin: {line!r}, see {log_path}")
            port = int(line.rsplit(":", 1)[1])
            counts, ends = collections.Counter(), Ends(arguments.patience, arguments.turn)
            Client(9999, port, 0, arguments.seed, counts, ends).site("POST", "/index", {"location": f"{folder}/texts"})
            clients = [Client(number, port, arguments.vanish, arguments.seed, counts, ends)
                       for number in range(arguments.clients)]
            threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
            for thread in threads:
                thread.start()
            until = time.monotonic() + arguments.seconds
            while time.monotonic() < until and server.poll() is None:
                time.sleep(0.2)
            ends.stopping = True
            before = time.monotonic()
            server.send_signal(signal.SIGTERM)
            try:
                code = server.wait(timeout=arguments.patience)
            except subprocess.TimeoutExpired:
                server.kill()
                code = "none: it did not end"
            took = time.monotonic() - before
            ends.over = True
            for thread in threads:
                thread.join(timeout=5)
            log.seek(0)
            findings = [line.rstrip() for line in log if any(mark in line for mark in MARKS)]
    for key, count in sorted(counts.items(), key=str):
        print(count, *key)
    print(f"TERM: ended after {took:.1f} s with exit code {code}")
    for message in ends.failures[:20] + findings[:20]:
        print("FOUND:", message)
    sys.exit(0 if code == 0 and not ends.failures and not findings else 1)


if __name__ == "__main__":
    main()
