"""How time, latency and memory grow: with messages, channels, rules, replicas, and with the pace of live messages."""

import json
import os
import re
import statistics
import subprocess
import time
import urllib.request

import ground as grounds
import stages

MESSAGES = [10_000, 100_000, 1_000_000]
CHANNELS = [1, 10, 100, 1_000]
RULES = [1, 10, 100, 1_000, 10_000]
REPLICAS = [1, 2]
PACES = [10, 100, 1_000]


def messages(ground, report):
    """From pages to rows, for ever more messages: time should grow as they do."""
    report.begin("messages", "More messages")
    counts = [count for count in MESSAGES if count <= max(ground.options.largest, MESSAGES[0])]
    table = Table(report, "messages", "messages", "messages")
    for count in counts:
        memory = {}
        taken = [count / stages.pages_to_rows(ground, count, memory) for _ in range(ground.options.runs)]
        table.add(count, plural(count, "message"), taken, memory, "messages/s", count)
    table.plot("Pages to rows: seconds by messages", "s", log_up=True)
    if len(counts) > 1:
        table.rate_ratio(counts[-1], counts[0])


def rules(ground, report):
    """From pages to rows with ever more rules, one of which takes the signals."""
    report.begin("rule-count", "More rules")
    table = Table(report, "rules", "rules", "messages/s")
    count = min(ground.options.messages, grounds.CHUNK)
    for rules in RULES:
        parsers = stages.many_rules(ground, rules)
        memory = {}
        rates = [
            stages.pages_to_rows(ground, count, memory, parsers=parsers) for _ in range(ground.options.runs)
        ]
        table.add(rules, plural(rules, "rule"), rates, memory)
    table.plot("Pages to rows by rules", "messages/s")
    table.rate_ratio(1_000, 10, aim=0.5)


def replicas(ground, report):
    report.begin("replicas", "More parse replicas")
    table = Table(report, "replicas", "replicas of parse", "messages/s")
    for count in REPLICAS:
        memory = {}
        rates = [
            stages.pages_to_rows(ground, ground.options.messages, memory, replicas=count)
            for _ in range(ground.options.runs)
        ]
        table.add(count, f"{count} of parse", rates, memory)
    table.plot("Pages to rows by replicas of parse", "messages/s", log_across=False)


def channels(ground, report):
    """From a simulated Discord to rows: the history of ever more channels, the same number of messages in all."""
    report.begin("channels", "More channels")
    count = min(ground.options.messages, 20_000)
    table = Table(report, "channels", "channels", "s")
    for channels in CHANNELS:
        memory, taken, requests = {}, [], 0
        for _ in range(ground.options.runs):
            spent, requests = read_history(ground, count, channels, memory)
            taken.append(spent)
        table.add(channels, plural(channels, "channel"), taken, memory, "messages/s", count, requests=f"{requests:,}")
    table.plot(f"Discord to rows: seconds for {count:,} messages by channels", "s")


def read_history(ground, messages, channels, memory):
    """Seconds from the start of the supervisor to the last row, and the requests that Discord was asked."""
    recording = ground.recording(messages, channels)
    ready = os.path.join(ground.folder, "simulator.json")
    if os.path.exists(ready):
        os.remove(ready)
    simulator = subprocess.Popen(
        [
            ground.binary("discord-simulator"), "serve", "--recording", recording, "--token", "bench", "--limit", "none",
            "--global-limit", "none", "--ready-file", ready,
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        while not os.path.exists(ready) or not os.path.getsize(ready):
            if simulator.poll() is not None:
                raise SystemExit("bench: the Discord simulator did not start")
            time.sleep(0.05)
        with open(ready) as file:
            address = json.load(file)["listening"]
        names = "".join(
            f'\n  - {{ name: c{number}, id: "{grounds.FIRST_CHANNEL + number}", since: 2024-12-01 }}'
            for number in range(channels)
        )
        sources = f'discord: {{ token: "${{DISCORD_TOKEN}}", api: "{address}", live: false, poll: 10m }}\nchannels:{names}'
        ground.set_up(sources=sources)
        start = time.monotonic()
        with ground.tree("fetch,parse,store", ready=False, DISCORD_TOKEN="bench") as tree:
            ground.await_rows(messages, tree, memory)
            spent = time.monotonic() - start
        with urllib.request.urlopen(address.replace("/api/v10", "/simulator/stats")) as answer:
            return spent, json.load(answer)["requests"]
    finally:
        simulator.terminate()
        simulator.wait()


def latency(ground, report):
    """From the publish of a live message (a page of one) to the moment at which another connection learns of its row."""
    report.begin("latency", "Live messages: from publish to row")
    medians, tails, memory_by_pace = [], [], []
    for pace in PACES:
        memory, middle, worst = {}, [], []
        for _ in range(ground.options.runs):
            delays = live(ground, pace, memory)
            middle.append(statistics.median(delays))
            worst.append(delays[int(len(delays) * 0.99)])
        for name, values, kept in (("median", middle, medians), ("p99", worst, tails)):
            kept.append((pace, statistics.median(values), min(values), max(values)))
            report.figure(f"{pace:,} messages/s: {name}", values, "ms", 1, **stages.peaks(memory))
        memory_by_pace.append((pace, memory))
    series = [("median", medians), ("p99", tails)]
    report.plot(
        "latency", title="Live messages: publish to row", across="messages/s", up="ms", series=series, log_up=True
    )
    report.plot("latency-memory", **memory_plot("messages/s", memory_by_pace))
    at_hundred = PACES.index(100)
    report.ratio("15 ms / median at 100 messages/s", 15, medians[at_hundred][1], aim=1)
    report.ratio("50 ms / p99 at 100 messages/s", 50, tails[at_hundred][1], aim=1)


def live(ground, pace, memory):
    """Milliseconds of each message, in rising order; those of the first second are left out."""
    count = max(pace * ground.options.live_seconds, 100)
    ground.set_up()
    [path] = ground.pages(count, size=1)
    with ground.connect() as rows:
        rows.execute(
            "CREATE FUNCTION bench_arrived() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_notify('bench', NEW.id::text); RETURN NULL; END $$;"
            " CREATE TRIGGER bench AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION bench_arrived()"
        )
    arrivals = os.path.join(ground.folder, "arrivals")
    with ground.tree("parse,store") as tree:
        listener = subprocess.Popen([arrivals, ground.database, str(count)], stdout=subprocess.PIPE, text=True)
        try:
            if listener.stdout.readline() != "listening\n":
                raise SystemExit("bench: the listener on the database did not start")
            published = ground.loop("paced", "bench.work", "parse", "message.page", "bench", path, pace)["at"]
            arrived, _ = listener.communicate(timeout=60)
        finally:
            listener.kill()
        ground.await_rows(count, tree, memory)
    with open(path) as lines:
        ids = [re.search(r'"id":"(\d+)"', line)[1] for line in lines]
    times = dict(line.split() for line in arrived.splitlines())
    first = published[0] + 1
    return sorted((float(times[id]) - at) * 1000 for id, at in zip(ids, published) if at >= first)


class Table:
    """The figures of one growth, with the memory of each role beside them."""

    def __init__(self, report, name, across, unit):
        self.report, self.name, self.across, self.unit = report, name, across, unit
        self.points, self.rates, self.memory = [], {}, []

    def add(self, size, name, values, memory, rate_unit=None, count=None, **more):
        """- values: of each run, in the table's unit; count: where that is seconds, what was done in them."""
        self.points.append((size, statistics.median(values), min(values), max(values)))
        self.memory.append((size, memory))
        self.rates[size] = count / self.points[-1][1] if count else self.points[-1][1]
        if count:
            more = {rate_unit: f"{self.rates[size]:,.0f}", **more}
            self.report.figure(name, values, "s", 2, **more, **stages.peaks(memory))
        else:
            self.report.figure(name, values, **more, **stages.peaks(memory))

    def plot(self, title, up, **keywords):
        series = [(self.across, self.points)]
        self.report.plot(self.name, title=title, across=self.across, up=up, series=series, **keywords)
        log_across = keywords.get("log_across", True)
        self.report.plot(f"{self.name}-memory", **memory_plot(self.across, self.memory, log_across))

    def rate_ratio(self, large, small, aim=None):
        if large in self.rates and small in self.rates:
            name = f"rate at {large:,} {self.across} / at {small:,}"
            self.report.ratio(name, self.rates[large], self.rates[small], aim)


def plural(count, word):
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def memory_plot(across, points, log_across=True):
    roles = sorted({role for _, memory in points for role in memory})
    series = [(role, [(size, memory[role] / 2**20) for size, memory in points if role in memory]) for role in roles]
    return {
        "title": f"Memory (PSS) by {across}", "across": across, "up": "MiB", "series": series, "log_across": log_across,
        "aim": (60, "aim: 60 MiB"),
    }
