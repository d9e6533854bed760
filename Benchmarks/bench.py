"""Measures the pipeline on one machine in one run; started by `scripts/bench`, which also starts the private broker and
database (RABBITMQ_URL, DATABASE_URL). Every figure is the median of several runs with its spread; every aim is a ratio
of two figures of the same run."""

import argparse
import os
import signal
import sys
import tempfile

import ground as grounds
import growth
import report as reports
import stages

STAGES = {
    "rules": stages.rules, "wire": stages.wire, "parse": stages.parse, "store": stages.store, "whole": stages.whole,
    "upkeep": stages.upkeep,
}
GROWTH = {
    "messages": growth.messages, "channels": growth.channels, "rule-count": growth.rules, "replicas": growth.replicas,
    "latency": growth.latency,
}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--postgres-log")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--stage", action="append", choices=[*STAGES, *GROWTH])
    parser.add_argument("--messages", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--json")
    parser.add_argument("--write", action="store_true")
    found = parser.parse_args()
    settings = {"--quick": found.quick, "--messages": found.messages, "--runs": found.runs}
    # What the figures are repeated with.
    found.words = [word for name, value in settings.items() if value for word in (name, str(value)) if word != "True"]
    is_limited = found.quick or found.messages is not None
    found.messages = found.messages or (50_000 if found.quick else 200_000)
    found.messages = max(grounds.PAGE, found.messages // grounds.PAGE * grounds.PAGE)
    found.runs = found.runs or (1 if found.quick else 3)
    # Of processor time for each measurement of the rules.
    found.seconds = 1 if found.quick else 3
    found.live_seconds = 5 if found.quick else 20
    found.idle_seconds = 10 if found.quick else 20
    found.largest = found.messages if is_limited else growth.MESSAGES[-1]
    return found


def main():
    # What was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = options()
    wanted = given.stage or list(GROWTH if given.growth else STAGES)
    report = reports.Report(given)
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench.") as folder:
        ground = grounds.Ground(given, folder)
        if given.postgres_log:
            ground.build_limits()
        for name in wanted:
            (STAGES | GROWTH)[name](ground, report)
            # After each, so that an interrupted run leaves what it has.
            if given.json:
                report.write_json(given.json)
            if given.write:
                report.write_document(os.path.join(grounds.ROOT, "docs", "performance.md"))


if __name__ == "__main__":
    main()
