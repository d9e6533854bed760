"""Measures each stage of the pipeline against its limit, on one machine in one run; started by `scripts/bench`.

Every figure is the median of several runs, with the spread; every aim is a ratio of two figures of the same run. The
broker and the database are private ones; what they are told is in the environment: RABBITMQ_URL, DATABASE_URL."""

import argparse
import json
import os
import platform
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

import tape

HERE = os.path.dirname(os.path.abspath(__file__))
PIPELINE = """name: bench
data: {data}
broker: {{ url: "${{RABBITMQ_URL}}", prefix: bench }}
store: {{ url: "${{DATABASE_URL}}", messages: all }}
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


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.broker, self.database = os.environ["RABBITMQ_URL"], os.environ["DATABASE_URL"]
        self.binaries = options.binaries
        self.results = []
        self.parsers = os.path.join(folder, "parsers")
        os.mkdir(self.parsers)
        source = os.path.join(HERE, "..", "parsers", "signals", "trading-signals.yaml")
        os.symlink(os.path.realpath(source), os.path.join(self.parsers, "trading-signals.yaml"))

    # Programs

    def run(self, *arguments, **keywords):
        done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, **keywords)
        if done.returncode:
            sys.exit(f"bench: {' '.join(map(os.path.basename, arguments[:3]))} ended with {done.returncode}")
        return done.stdout

    def loop(self, mode, *arguments):
        """One of the bare loops over librabbitmq."""
        return json.loads(self.run(os.path.join(self.folder, "broker_loop"), mode, self.broker, *map(str, arguments)))

    def chaffinch(self, *arguments, **keywords):
        return self.run(os.path.join(self.binaries, "chaffinch"), *arguments, **keywords)

    def build_limits(self):
        flags = ["-O2", "-Wno-deprecated-declarations"]
        for name, more in (
            ("broker_loop", ["-lrabbitmq"]),
            ("unnest_loop", ["-I/usr/include/postgresql", "-lpq"]),
        ):
            source = os.path.join(HERE, "limits", name + ".c")
            self.run("cc", *flags, "-o", os.path.join(self.folder, name), source, *more)

    # The input

    def pages(self, messages):
        """A file of pages as fetch would publish them, one a line; and how many messages they hold."""
        path = os.path.join(self.folder, f"pages-{messages}.jsonl")
        if os.path.exists(path):
            return path
        recording = os.path.join(self.folder, "recording.jsonl")
        self.run(
            os.path.join(self.binaries, "discord-simulator"), "record", "bulk", "--output", recording,
            "--messages", str(messages), "--channels", "5",
        )
        page = []
        with open(recording) as lines, open(path, "w") as output:

            def close():
                if page:
                    output.write("[" + ",".join(page) + "]\n")
                    page.clear()

            for line in lines:
                if '"content"' not in line:
                    continue
                page.append(line.rstrip("\n"))
                if len(page) == 100:
                    close()
            close()
        os.remove(recording)
        return path

    # The tree

    def configure(self, replicas=1, parsers=None):
        self.config = os.path.join(self.folder, "pipeline.yaml")
        with open(self.config, "w") as file:
            file.write(
                PIPELINE.format(
                    data=os.path.join(self.folder, "data"), parsers=parsers or self.parsers, replicas=replicas
                )
            )

    def set_up(self):
        """Empty queues and tables, as a first start finds them."""
        with psycopg.connect(self.database, autocommit=True) as rows:
            rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        if os.path.exists(os.path.join(self.folder, "declared")):
            for queue in ("parse", "store"):
                self.purge(f"bench.{queue}")
        else:
            open(os.path.join(self.folder, "declared"), "w").close()
        self.chaffinch("setup", "--config", self.config, stderr=subprocess.DEVNULL)

    def purge(self, queue):
        ctl = os.environ["RABBITMQCTL"]
        self.run(ctl, "purge_queue", queue, stderr=subprocess.DEVNULL)

    def start(self, only):
        log = open(os.path.join(self.folder, "supervisor.log"), "a")
        process = subprocess.Popen(
            [os.path.join(self.binaries, "chaffinch"), "supervisor", "--config", self.config, "--only", only],
            stdout=log, stderr=log,
        )
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        if process.wait(30) != 0:
            sys.exit(f"bench: the supervisor ended with {process.returncode}; see {self.folder}/supervisor.log")

    def workers(self, process):
        """The processes below the supervisor by role, with processor seconds and proportional memory."""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                if int(fields[1]) != process.pid and int(name) != process.pid:
                    continue
                with open(f"/proc/{name}/cmdline") as file:
                    words = file.read().split("\0")
                with open(f"/proc/{name}/smaps_rollup") as file:
                    memory = next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
            except (OSError, StopIteration):
                continue
            role = words[words.index("role") + 1] if "role" in words else "supervisor"
            tick = os.sysconf("SC_CLK_TCK")
            entry = found.setdefault(role, {"cpu": 0.0, "memory": 0})
            entry["cpu"] += (int(fields[11]) + int(fields[12])) / tick
            entry["memory"] = max(entry["memory"], memory)
        return found

    # What is reported

    def add(self, name, rates, unit="messages/s", **more):
        median = statistics.median(rates)
        entry = {
            "name": name, "median": median, "low": min(rates), "high": max(rates), "runs": len(rates), "unit": unit,
        }
        entry.update(more)
        self.results.append(entry)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else ""
        extra = "  ".join(f"{key} {value}" for key, value in more.items())
        print(f"  {name:<52} {median:>12,.0f} {unit:<12} {spread}  {extra}", flush=True)
        return median

    def ratio(self, name, value, limit, aim=None):
        entry = {"name": name, "ratio": value / limit, "aim": aim}
        self.results.append(entry)
        verdict = "" if aim is None else f"   aim {aim:g}: {'met' if value / limit >= aim else 'missed'}"
        print(f"  {name:<52} {value / limit:>12.2f} ×{verdict}", flush=True)

    def times(self, body):
        return [body() for _ in range(self.options.runs)]



def count_rows(bench):
    with psycopg.connect(bench.database) as rows:
        return rows.execute("SELECT count(*) FROM messages").fetchone()[0]


def fill(bench, path, window=32):
    return bench.loop("fill", "bench.work", "parse", "message.page", "bench", path, window)


def stage_broker(bench):
    """The limit of parse: pages through one bare consumer and publisher, confirmed before acknowledged."""
    path, pages = bench.pages(bench.options.messages), bench.options.messages // 100

    def publish():
        bench.set_up()
        return bench.options.messages / fill(bench, path)["seconds"]

    bench.add("broker: bare confirmed publish of pages", bench.times(publish))

    def relay():
        bench.set_up()
        fill(bench, path)
        return bench.options.messages / bench.loop("relay", "bench.parse", "bench.work", "store", pages, 16)["seconds"]

    return bench.add("broker: bare consume, publish, acknowledge", bench.times(relay))


def stage_parse(bench, limit):
    path, pages = bench.pages(bench.options.messages), bench.options.messages // 100
    processor = []

    def parse():
        bench.set_up()
        fill(bench, path)
        tree = bench.start("parse")
        try:
            seen = bench.loop("await", "bench.store", pages)
            processor.append(bench.workers(tree)["parse"]["cpu"])
        finally:
            bench.stop(tree)
        return seen["deliveries"] * 100 / seen["seconds"]

    rate = bench.add("parse: one worker, pages to record batches", bench.times(parse))
    bench.ratio("parse / bare consume and publish", rate, limit)
    print(f"    processor seconds of the worker: {statistics.median(processor):.2f}")
    return rate


def stage_store(bench):
    path, pages = bench.pages(bench.options.messages), bench.options.messages // 100
    processor = []

    def store():
        bench.set_up()
        fill(bench, path)
        tree = bench.start("parse")
        bench.loop("await", "bench.store", pages)
        bench.stop(tree)
        tree = bench.start("store")
        try:
            seen = bench.loop("emptied", "bench.store")
            while count_rows(bench) < bench.options.messages:
                time.sleep(0.005)
            processor.append(bench.workers(tree)["store"]["cpu"])
        finally:
            bench.stop(tree)
        return bench.options.messages / (time.clock_gettime(time.CLOCK_MONOTONIC) - seen["begun"])

    with psycopg.connect(bench.database, autocommit=True) as rows:
        rows.execute("ALTER ROLE CURRENT_USER SET log_statement = 'all'")
        rows.execute("ALTER ROLE CURRENT_USER SET log_parameter_max_length = 0")
        store()
        rows.execute("ALTER ROLE CURRENT_USER RESET ALL")
        inserts = tape.statements(bench.options.postgres_log)
        recorded = os.path.join(bench.folder, "tape")
        tape.write(recorded, rows, inserts)
    processor.clear()

    def bare():
        bench.set_up()
        done = bench.run(os.path.join(bench.folder, "unnest_loop"), bench.database, recorded)
        return bench.options.messages / json.loads(done)["seconds"]

    # In turn, so that both see the same disk and the same neighbours.
    pairs = [(bare(), store()) for _ in range(bench.options.runs)]
    limit = bench.add("store: bare libpq loop, same statements and rows", [pair[0] for pair in pairs])
    rate = bench.add("store: one worker, record batches to rows", [pair[1] for pair in pairs])
    print(f"    processor seconds of the worker: {statistics.median(processor):.2f}")
    bench.ratio("store / bare libpq loop", rate, limit, aim=0.7)
    return rate


def stage_whole(bench):
    path = bench.pages(bench.options.messages)
    memory = {}

    def whole():
        bench.set_up()
        tree = bench.start("parse,store")
        start = time.monotonic()
        try:
            fill(bench, path)
            while count_rows(bench) < bench.options.messages:
                time.sleep(0.02)
                for role, entry in bench.workers(tree).items():
                    memory[role] = max(memory.get(role, 0), entry["memory"])
            seconds = time.monotonic() - start
        finally:
            bench.stop(tree)
        return bench.options.messages / seconds

    rate = bench.add("whole: pages to rows", bench.times(whole))
    for role, size in sorted(memory.items()):
        print(f"    memory at the peak (proportional): {role} {size / 1e6:.0f} MB")
    return rate


def stage_before(bench):
    path = bench.pages(bench.options.messages)

    def before():
        script = os.path.join(HERE, "before.py")
        done = json.loads(bench.run(sys.executable, script, bench.broker, bench.database, path, "5000"))
        return done["messages"] / done["seconds"]

    return bench.add("before: one message, one row at a time", bench.times(before))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--postgres-log", required=True)
    parser.add_argument("--json")
    parser.add_argument("--stage", action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench.") as folder:
        bench = Bench(options, folder)
        bench.build_limits()
        bench.configure()
        wanted = options.stage or ["parse", "store", "whole", "before"]
        if "parse" in wanted:
            stage_parse(bench, stage_broker(bench))
        if "store" in wanted:
            stage_store(bench)
        if "whole" in wanted or "before" in wanted:
            whole, before = stage_whole(bench), stage_before(bench)
            bench.ratio("whole / before", whole, before, aim=30)


if __name__ == "__main__":
    main()
