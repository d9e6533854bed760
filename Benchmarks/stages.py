"""Each stage beside its limit."""

import json
import os
import statistics
import sys
import time

import ground as grounds
import tape

RULES = [10, 100, 1_000, 10_000]


def seconds(value):
    return f"{value:.2f} s"


def rules(ground, report):
    """The rules alone, on text that is decoded already, beside trying each pattern in turn."""
    report.begin("rules", "The rules alone, on one core")
    data = os.environ.get("CHAFFINCH_SHARED_DATA", os.path.join(grounds.ROOT, "..", "shared", "data"))
    folder = ["--data", data] if os.path.isdir(data) else []
    medians = {}
    # 0: the rule files that come with Chaffinch.
    for count in [*RULES, 0]:
        runs = [
            json.loads(
                ground.run(
                    ground.binary("rules-trial"), "bench", "--root", grounds.ROOT, *folder, "--rules", count,
                    "--seconds", ground.options.seconds,
                )
            )
            for _ in range(ground.options.runs)
        ]
        name = f"{count:,} rules" if count else f"the {runs[0]['rules']} rule files of parsers/ and examples/"
        more = {"compiled in": f"{statistics.median(run['build_ms'] for run in runs):.0f} ms"}
        more["memory"] = f"{runs[0]['memory_kib'] / 1024:.0f} MiB"
        medians[count] = report.figure(name, [run["per_second"] for run in runs], **more)
        if count:
            loop = report.figure(f"{count:,} rules one after the other", [run["sequential_per_second"] for run in runs])
            report.ratio(f"{count:,} rules / one after the other", medians[count], loop)
    report.ratio("100 rules / 200,000 messages a second", medians[100], 200_000, aim=1)
    report.ratio("1,000 rules / 10 rules", medians[1_000], medians[10], aim=0.5)


def wire(ground, report):
    """Reading pages, and writing and reading record batches, beside simdjson over the same bytes."""
    report.begin("wire", "Pages and record batches alone, on one core")
    found = json.loads(
        ground.run(
            ground.binary("rules-trial"), "wire", "--pages", ground.pages(20_000)[0], "--runs", ground.options.runs,
            "--seconds", ground.options.seconds / 2,
        )
    )
    size = found.pop("bytes_per_message")
    names = {
        "simdjson_alone": "simdjson alone, pages", "page_decode": "page to messages",
        "batch_encode": "parsed messages to record batch", "batch_decode": "record batch to parsed messages",
    }
    medians = {}
    for key, rates in found.items():
        speed = f"{statistics.median(rates) * size / 1e6:,.0f} MB/s of messages"
        medians[key] = report.figure(names[key], rates, throughput=speed)
    report.ratio("page to messages / simdjson alone", medians["page_decode"], medians["simdjson_alone"])


def bare_broker(ground, report):
    """The limit of parse: pages through one bare consumer and publisher, confirmed before acknowledged."""
    path, pages = first_chunk(ground)
    count = pages * grounds.PAGE

    def publish():
        ground.set_up()
        return count / ground.fill(path)["seconds"]

    def relay():
        ground.set_up()
        ground.fill(path)
        return count / ground.loop("relay", "bench.parse", "bench.work", "store", pages, 16)["seconds"]

    report.figure("broker: bare confirmed publish of pages", times(ground, publish))
    return report.figure("broker: bare consume, publish, acknowledge", times(ground, relay))


def parse(ground, report):
    report.begin("parse", "Pages through one parse worker")
    limit = bare_broker(ground, report)
    path, pages = first_chunk(ground)
    processor = []

    def run():
        ground.set_up()
        ground.fill(path)
        with ground.tree("parse", ready=False) as tree:
            seen = ground.loop("await", "bench.store", pages)
            processor.append(ground.workers(tree)["parse"]["cpu"])
        return seen["deliveries"] * grounds.PAGE / seen["seconds"]

    rates = times(ground, run)
    used = seconds(statistics.median(processor))
    rate = report.figure("parse: one worker, pages to record batches", rates, **{"processor time": used})
    report.ratio("parse / bare consume, publish, acknowledge", rate, limit)


def store(ground, report):
    report.begin("store", "Record batches through one store worker")
    path, pages = first_chunk(ground)
    count = pages * grounds.PAGE
    processor = []

    def run():
        ground.set_up()
        ground.fill(path)
        with ground.tree("parse", ready=False):
            ground.loop("await", "bench.store", pages)
        with ground.tree("store", ready=False) as tree:
            seen = ground.loop("emptied", "bench.store")
            ground.await_rows(count, tree)
            end = time.clock_gettime(time.CLOCK_MONOTONIC)
            processor.append(ground.workers(tree)["store"]["cpu"])
        return count / (end - seen["begun"])

    recorded = os.path.join(ground.folder, "tape")
    with ground.connect() as rows:
        rows.execute("ALTER ROLE CURRENT_USER SET log_statement = 'all'")
        rows.execute("ALTER ROLE CURRENT_USER SET log_parameter_max_length = 0")
        run()
        rows.execute("ALTER ROLE CURRENT_USER RESET ALL")
        inserts = tape.statements(ground.options.postgres_log)
        if set(inserts) != set(tape.TABLES):
            sys.exit(f"bench: the server's log has inserts for {sorted(inserts)} only; mend Benchmarks/tape.py")
        tape.write(recorded, rows, inserts)
    processor.clear()

    def bare():
        ground.set_up()
        done = ground.run(os.path.join(ground.folder, "unnest_loop"), ground.database, recorded)
        return count / json.loads(done)["seconds"]

    # In turn, so that both see the same disk and the same neighbours.
    pairs = [(bare(), run()) for _ in range(ground.options.runs)]
    limit = report.figure("store: bare libpq loop, same statements and rows", [pair[0] for pair in pairs])
    used = seconds(statistics.median(processor))
    rates = [pair[1] for pair in pairs]
    rate = report.figure("store: one worker, record batches to rows", rates, **{"processor time": used})
    report.ratio("store / bare libpq loop", rate, limit, aim=0.7)


def whole(ground, report):
    """Pages to rows through two of parse and store, beside the design that Chaffinch replaces."""
    report.begin("whole", "The whole, and the design it replaces")
    rates, memory = [], {}
    for _ in range(ground.options.runs):
        rates.append(pages_to_rows(ground, ground.options.messages, memory, replicas=2))
    rate = report.figure("whole: pages to rows, parse × 2", rates, **peaks(memory))
    report.ratio("whole / 30,000 messages a second", rate, 30_000, aim=1)
    largest = max(size for role, size in memory.items() if role != "supervisor")
    report.ratio("60 MiB / memory of the largest worker", 60 * 2**20, largest, aim=1)
    report.ratio("25 MiB / memory of the supervisor", 25 * 2**20, memory["supervisor"], aim=1)
    path = ground.pages(ground.options.messages)[0]
    count = min(5_000, ground.options.messages)

    def before():
        script = os.path.join(grounds.HERE, "before.py")
        done = json.loads(ground.run(sys.executable, script, ground.broker, ground.database, path, count))
        return done["messages"] / done["seconds"]

    limit = report.figure("before: one message, one row at a time", times(ground, before))
    report.ratio("whole / before", rate, limit, aim=30)


def upkeep(ground, report):
    """What a tree of two parse replicas with 1,000 rules needs to take over an edit, and when nothing happens."""
    report.begin("upkeep", "An edit of a rule, and a tree with nothing to do")
    parsers = many_rules(ground, 1_000)
    edited = os.path.join(parsers, "desk-500.yaml")
    with open(edited) as file:
        text = file.read()
    ground.set_up(replicas=2, parsers=parsers)
    with ground.tree("deadletter,parse,store") as tree:
        edits = []
        for number in range(3 * ground.options.runs):
            before = ground.status()["generation"]
            with open(edited + ".new", "w") as file:
                file.write(text + f"# {number}\n")
            start = time.monotonic()
            os.replace(edited + ".new", edited)
            await_generation(ground, before)
            edits.append(time.monotonic() - start)
        time.sleep(2)
        used = [idle(ground, tree) for _ in range(ground.options.runs)]
    edit = report.figure("edit of a rule to live in both replicas", edits, "s", 2)
    percent = report.figure("supervisor, deadletter, parse × 2 and store, idle", used, "% of a core", 2)
    report.ratio("1 s / edit to live", 1, edit, aim=1)
    # The kernel counts in hundredths of a second.
    report.ratio("1 % of a core / idle", 1, max(percent, 1 / ground.options.idle_seconds), aim=1)


def many_rules(ground, count):
    """A folder with the rule that takes the signals and `count` - 1 made-up ones."""
    parsers = os.path.join(ground.folder, f"parsers-{count}")
    if not os.path.exists(parsers):
        os.mkdir(parsers)
        source = os.path.join(grounds.ROOT, "parsers", "signals", "trading-signals.yaml")
        os.symlink(source, os.path.join(parsers, "trading-signals.yaml"))
        ground.run(ground.binary("rules-trial"), "write", "--rules", count - 1, "--folder", parsers)
    return parsers


def await_generation(ground, before):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        live = [each["rules_generation"] for each in ground.status()["workers"] if each["name"] == "parse"]
        if all(generation and generation > before for generation in live):
            return
        time.sleep(0.01)
    sys.exit("bench: an edited rule was not live within a minute")


def idle(ground, tree):
    """Percent of a core that all processes of the tree use."""
    begun, before = time.monotonic(), ground.workers(tree)
    time.sleep(ground.options.idle_seconds)
    spent = sum(entry["cpu"] - before[role]["cpu"] for role, entry in ground.workers(tree).items())
    return 100 * spent / (time.monotonic() - begun)


def pages_to_rows(ground, messages, memory, **settings):
    """Messages a second from the first publish to the last row, with a tree that is ready."""
    ground.set_up(**settings)
    with ground.tree("parse,store") as tree:
        start = time.monotonic()
        for number, path in enumerate(ground.pages(messages)):
            # The queues hold what the tree has not had time for yet, up to their limit of bytes.
            ground.await_rows((number - 3) * grounds.CHUNK, tree, memory)
            ground.fill(path)
        ground.await_rows(messages, tree, memory)
        return messages / (time.monotonic() - start)


def peaks(memory):
    return {f"{role} MiB": f"{memory[role] / 2**20:.0f}" for role in sorted(memory)}


def first_chunk(ground):
    """The pages that measurements of one worker use: no more than the queues hold."""
    messages = min(ground.options.messages, grounds.CHUNK)
    return ground.pages(messages)[0], (messages + grounds.PAGE - 1) // grounds.PAGE


def times(ground, body):
    return [body() for _ in range(ground.options.runs)]
