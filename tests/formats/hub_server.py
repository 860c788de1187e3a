#!/usr/bin/env python3
"""A hub on loopback for tests: the API and the files of one repository, with faults on demand.

Usage: hub_server.py ROOT [--commit SHA] [--cut BYTES] [--wrong-hash] [--no-ranges] [--busy N] [--token T] [--redirect]
ROOT holds the repository's files. Prints its port, serves until its standard input closes.
"""
import argparse
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("root", type=pathlib.Path)
parser.add_argument("--cut", type=int, default=0, help="close each answer with a file after this many bytes")
parser.add_argument("--commit", default="0123456789abcdef0123456789abcdef01234567")
parser.add_argument("--wrong-hash", action="store_true")
parser.add_argument("--no-ranges", action="store_true")
parser.add_argument("--busy", type=int, default=0, help="answer 503 to the first N file requests")
parser.add_argument("--token", default="")
parser.add_argument("--redirect", action="store_true", help="send file requests to another path first")
parser.add_argument("--evil-name", default="", help="list a file with this name")
options = parser.parse_args()
busy_left = options.busy
busy_lock = threading.Lock()
COMMIT = options.commit


def siblings():
    out = []
    for path in sorted(p for p in options.root.rglob("*") if p.is_file()):
        content = path.read_bytes()
        entry = {"rfilename": str(path.relative_to(options.root)), "size": len(content)}
        entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if path.suffix in {".gguf", ".safetensors"}:
            digest = hashlib.sha256(content).hexdigest()
            if options.wrong_hash:
                digest = "0" * 64
            entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 135}
        out.append(entry)
    if options.evil_name:
        out.append({"rfilename": options.evil_name, "size": 1, "blobId": "0" * 40})
    return out


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        global busy_left
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if options.token and self.headers.get("Authorization") != "Bearer " + options.token:
            return self.answer(401)
        if path == "/api/models/owner/name/revision/main":
            return self.answer(200, json.dumps({"sha": COMMIT, "siblings": siblings()}).encode())
        prefix = "/owner/name/resolve/" + COMMIT + "/"
        if options.redirect and path.startswith(prefix):
            return self.answer(302, headers=[("Location", "/cdn/" + path[len(prefix):])])
        for start in (prefix, "/cdn/"):
            if path.startswith(start) and (options.root / path[len(start):]).is_file():
                break
        else:
            return self.answer(404)
        with busy_lock:
            if busy_left > 0:
                busy_left -= 1
                return self.answer(503)
        content = (options.root / path[len(start):]).read_bytes()
        status, headers = 200, []
        if self.headers.get("Range") and not options.no_ranges:
            first, last = self.headers["Range"].split("=")[1].split("-")
            first, last = int(first), int(last or len(content) - 1)
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, last, len(content))))
            content, status = content[first:last + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if options.cut and len(content) > options.cut:
            self.wfile.write(content[:options.cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return None
        self.wfile.write(content)
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
# One write: the reader goes away after the first, also where Python's output is unbuffered.
sys.stdout.write(f"{server.server_address[1]}\n")
sys.stdout.flush()
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
