"""Drives a Weir over REST with Python's standard library: create a run, follow it, save rows and failures, retry.

    WEIR_URL=http://127.0.0.1:8787 WEIR_TOKEN=... python3 weir_client.py ids.txt 'https://api.example.com/users/{{item}}'

`results.jsonl` and `failures.jsonl` are one JSON object a line: `pandas.read_json("results.jsonl", lines=True)`.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ENDED = {"completed", "completed-with-failures", "failed", "cancelled"}
WAITS_FOR_PEOPLE = {"paused", "awaiting-approval"}


class WeirError(Exception):
    """An answer that is an error: its status and the sentence in it."""


class Weir:
    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def send(self, method, path, body=None, headers=None):
        """The open answer. `body`: bytes as they are, anything else as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("authorization", f"Bearer {self.token}")
        if data is not None and not isinstance(body, bytes):
            request.add_header("content-type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            try:
                said = json.loads(text)["error"]["message"]
            except (ValueError, KeyError, TypeError):
                said = text[:200]
            raise WeirError(f"{error.code}: {said}") from None

    def ask(self, method, path, body=None, headers=None):
        with self.send(method, path, body, headers) as answer:
            return json.load(answer)

    def store_input(self, name, lines):
        return self.ask("PUT", f"/v1/inputs/{urllib.parse.quote(name)}", lines)

    def create(self, spec, key):
        """Under the same key, the same run: this may be sent again when nobody answered."""
        return self.ask("POST", "/v1/runs", spec, {"idempotency-key": key})

    def follow(self, run, every=1.0):
        """Prints what the run does until it has ended or waits for people."""
        why = None
        while True:
            view = self.ask("GET", f"/v1/runs/{run}")
            if view["why"] != why:
                why = view["why"]
                counts = view["counts"]
                print(f"{counts['done']} of {counts['items']}: {why}", file=sys.stderr)
            if view["status"] in ENDED or view["status"] in WAITS_FOR_PEOPLE:
                return view
            time.sleep(every)

    def save_lines(self, path, file):
        """Rows, one a line, as they are: no number loses a digit."""
        with self.send("GET", path, headers={"accept": "application/x-ndjson"}) as answer, open(file, "wb") as out:
            while block := answer.read(65536):
                out.write(block)

    def retry(self, run, key):
        return self.ask("POST", f"/v1/runs/{run}/retry", {}, {"idempotency-key": key})


def main(ids_file, url):
    weir = Weir(os.environ["WEIR_URL"], os.environ["WEIR_TOKEN"])
    with open(ids_file, "rb") as lines:
        weir.store_input("ids.txt", lines.read())
    spec = {
        "source": {"kind": "input", "name": "ids.txt"},
        "task": {"kind": "http", "url": url},
        "quota": {"requests": "500/s"},
        "maxParallelism": 20,
    }
    run = weir.follow(weir.create(spec, f"{ids_file}-{int(time.time())}")["id"])
    if run["counts"]["failed"] > 0:
        weir.save_lines(f"/v1/runs/{run['id']}/failures", "failures.jsonl")
        # What has failed goes once more; of every item the newest row counts.
        weir.follow(weir.retry(run["id"], f"retry-{run['id']}")["id"])
    weir.save_lines(f"/v1/runs/{run['id']}/results?merged=true", "results.jsonl")
    print(run["id"])
    return 0 if run["status"] in ENDED else 5


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except WeirError as error:
        sys.exit(f"weir: {error}")
