"""The ground that measurements stand on: the private servers, the programs under test, the pages and the tree."""

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PAGE = 100
CHUNK = 100_000
FIRST_CHANNEL = 1_308_600_000_000_001_000
PIPELINE = """name: bench
data: {data}
broker: {{ url: "${{RABBITMQ_URL}}", prefix: bench }}
store: {{ url: "${{DATABASE_URL}}", messages: all }}
{sources}
records:
  trading_signal:
    fields:
      ticker:      {{ type: text, required: true }}
      side:        {{ type: enum, values: [long, short], required: true }}
      status:      {{ type: enum, values: [opened, closed], default: opened }}
      entry_type:  {{ type: enum, values: [market, limit], default: market }}
      entry_price: {{ type: decimal }}
      entry_high:  {{ type: decimal }}
      leverage:    {{ type: decimal }}
      risk:        {{ type: decimal }}
    lists:
      trading_stops:
        type:  {{ type: enum, values: [stop_loss, take_profit], required: true }}
        price: {{ type: decimal, required: true }}
parsers: {parsers}
workers:
  parse: {{ replicas: {replicas} }}
supervisor: {{ log_level: warning }}
"""


class Ground:
    """- options: those of `bench.py`; folder: an empty one for everything that is written on the way."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.config = os.path.join(folder, "pipeline.yaml")
        self.broker, self.database = os.environ.get("RABBITMQ_URL"), os.environ.get("DATABASE_URL")
        self.parsers = os.path.join(folder, "parsers")
        os.mkdir(self.parsers)
        source = os.path.join(ROOT, "parsers", "signals", "trading-signals.yaml")
        os.symlink(source, os.path.join(self.parsers, "trading-signals.yaml"))

    # Programs

    def binary(self, name):
        return os.path.join(self.options.binaries, name)

    def run(self, *arguments, **keywords):
        done = subprocess.run(list(map(str, arguments)), stdout=subprocess.PIPE, text=True, **keywords)
        if done.returncode:
            words = " ".join(os.path.basename(str(word)) for word in arguments[:3])
            sys.exit(f"bench: {words} ended with {done.returncode}")
        return done.stdout

    def build_limits(self):
        flags = ["-O2", "-Wno-deprecated-declarations"]
        for name, more in (
            ("broker_loop", ["-lrabbitmq"]),
            ("unnest_loop", ["-I/usr/include/postgresql", "-lpq"]),
            ("arrivals", ["-I/usr/include/postgresql", "-lpq"]),
        ):
            source = os.path.join(HERE, "limits", name + ".c")
            self.run("cc", *flags, "-o", os.path.join(self.folder, name), source, *more)

    def loop(self, mode, *arguments):
        """One of the bare loops over librabbitmq."""
        return json.loads(self.run(os.path.join(self.folder, "broker_loop"), mode, self.broker, *arguments))

    def connect(self):
        import psycopg

        return psycopg.connect(self.database, autocommit=True)

    def rows(self):
        with self.connect() as rows:
            return rows.execute("SELECT count(*) FROM messages").fetchone()[0]

    # The input

    def recording(self, messages, channels):
        """A file of messages for the simulator to serve."""
        path = os.path.join(self.folder, f"recording-{messages}-{channels}.jsonl")
        if not os.path.exists(path):
            self.run(
                self.binary("discord-simulator"), "record", "bulk", "--output", path, "--messages", messages,
                "--channels", channels, stderr=subprocess.DEVNULL,
            )
        return path

    def pages(self, messages, size=PAGE):
        """Files of at most 100,000 messages in pages as fetch publishes them, one page a line."""
        chunks = (messages + CHUNK - 1) // CHUNK
        paths = [os.path.join(self.folder, f"pages-{messages}-{size}-{number}.jsonl") for number in range(chunks)]
        if os.path.exists(paths[-1]):
            return paths
        recording = self.recording(messages, 5)
        with open(recording) as lines:
            contents = (line.rstrip("\n") for line in lines if '"content"' in line)
            for path in paths:
                with open(path, "w") as output:
                    for _ in range(CHUNK // size):
                        page = list(itertools.islice(contents, size))
                        if page:
                            output.write("[" + ",".join(page) + "]\n")
        os.remove(recording)
        return paths

    def fill(self, path, window=32):
        return self.loop("fill", "bench.work", "parse", "message.page", "bench", path, window)

    # The tree

    def set_up(self, replicas=1, parsers=None, sources=""):
        """Empty queues and tables, as a first start finds them, for a pipeline with these settings."""
        with open(self.config, "w") as file:
            data = os.path.join(self.folder, "data")
            file.write(
                PIPELINE.format(data=data, parsers=parsers or self.parsers, replicas=replicas, sources=sources)
            )
        with self.connect() as rows:
            rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        declared = os.path.join(self.folder, "declared")
        if os.path.exists(declared):
            for queue in ("parse", "store"):
                self.run(os.environ["RABBITMQCTL"], "purge_queue", f"bench.{queue}", stderr=subprocess.DEVNULL)
        open(declared, "w").close()
        self.run(self.binary("chaffinch"), "setup", "--config", self.config, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def tree(self, only, ready=True, **environment):
        """The supervisor with these roles, and with `ready` only once all of them are."""
        log = os.path.join(self.folder, "supervisor.log")
        with open(log, "a") as output:
            process = subprocess.Popen(
                [self.binary("chaffinch"), "supervisor", "--config", self.config, "--only", only],
                stdout=output, stderr=output, env={**os.environ, **environment},
            )
        try:
            if ready:
                self.await_ready(process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        if status:
            sys.exit(f"bench: the supervisor ended with {status}:\n{tail(log)}")

    def status(self):
        """What `chaffinch status --json` shows, asked without a process for it."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(os.path.join(self.folder, "data", "supervisor.sock"))
            asked.sendall(b'{"type":"status"}\n')
            with asked.makefile() as answer:
                return json.loads(answer.readline())

    def await_ready(self, process, log):
        status = [self.binary("chaffinch"), "status", "--config", self.config]
        end = time.monotonic() + 300
        while subprocess.run(status, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"bench: the tree did not become ready:\n{tail(log)}")
            time.sleep(0.1)

    def await_rows(self, wanted, process, memory=None, patience=300):
        """Returns when the table holds so many messages; notes the most memory of each role on the way. Looks seldom while
        many are missing, since counting costs what is measured a part of its server."""
        seen, moved = -1, time.monotonic()
        begun = moved
        with self.connect() as rows:
            while True:
                count = rows.execute("SELECT count(*) FROM messages").fetchone()[0]
                if memory is not None:
                    for role, entry in self.workers(process).items():
                        memory[role] = max(memory.get(role, 0), entry["memory"])
                if count >= wanted:
                    return
                if count != seen:
                    seen, moved = count, time.monotonic()
                if process.poll() is not None or time.monotonic() - moved > patience:
                    log = os.path.join(self.folder, "supervisor.log")
                    sys.exit(f"bench: {count} of {wanted} rows, and no more come:\n{tail(log)}")
                missing = (wanted - count) / max(count, 1) * (time.monotonic() - begun)
                time.sleep(min(0.5, max(0.01, missing / 4)))

    def workers(self, process):
        """The supervisor and the processes below it by role: processor seconds in all, and bytes of proportional memory
        of the largest."""
        found = {}
        tick = os.sysconf("SC_CLK_TCK")
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                if process.pid not in (int(name), int(fields[1])):
                    continue
                with open(f"/proc/{name}/cmdline") as file:
                    words = file.read().split("\0")
                with open(f"/proc/{name}/smaps_rollup") as file:
                    memory = int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1]) * 1024
            except (OSError, TypeError):
                continue
            role = words[words.index("role") + 1] if "role" in words else "supervisor"
            # Jobs, and what has yet to become a worker.
            if role == "setup" or role == "supervisor" and int(name) != process.pid:
                continue
            entry = found.setdefault(role, {"cpu": 0.0, "memory": 0})
            entry["cpu"] += (int(fields[11]) + int(fields[12])) / tick
            entry["memory"] = max(entry["memory"], memory)
        return found


def tail(path, lines=15):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""
