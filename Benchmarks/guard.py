"""Counts the instructions of each kernel for a message and compares them with budget.json; started by
`scripts/bench-guard`."""

import glob
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

BUDGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budget.json")


def count(binary):
    """Instructions a message by kernel, in order."""
    with tempfile.TemporaryDirectory(prefix="chaffinch-guard.") as folder:
        # Valgrind fails on debugging information newer than itself.
        bare = os.path.join(folder, "guard-trial")
        subprocess.run(["strip", "--strip-debug", "-o", bare, binary], check=True)
        done = subprocess.run(
            [
                "valgrind", "--tool=callgrind", "--dump-before=bench_mark", f"--callgrind-out-file={folder}/out",
                f"--log-file={folder}/log", bare,
            ],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"},
        )
        if done.returncode:
            with open(f"{folder}/log", errors="replace") as log:
                sys.exit(f"bench-guard: the run under valgrind ended with {done.returncode}\n{log.read()[-2000:]}")
        kernels = [json.loads(line) for line in done.stdout.splitlines()]
        dumps = sorted(glob.glob(f"{folder}/out.*"), key=lambda path: int(path.rsplit(".", 1)[1]))
        # Two marks a kernel: what was counted up to the second is the kernel's.
        if len(dumps) < 2 * len(kernels):
            sys.exit(f"bench-guard: {len(dumps)} marks were counted for {len(kernels)} kernels")
        return {
            kernel["name"]: round(instructions(dumps[2 * place + 1]) / kernel["messages"])
            for place, kernel in enumerate(kernels)
        }


def instructions(path):
    with open(path) as file:
        return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)[1])


def judge(counts, budget, tolerance):
    """Prints a line for each kernel, and returns those that exceed their budgets."""
    exceeded = []
    for name, counted in counts.items():
        allowed = budget.get(name)
        words = "no budget yet" if allowed is None else f"{counted / allowed:6.2f} of the budget"
        if allowed and counted > allowed * tolerance:
            exceeded.append(name)
            words += f", more than {tolerance:.2f}"
        elif allowed and counted * tolerance < allowed:
            words += "; lower it with scripts/bench-guard --update"
        print(f"  {name:<18} {counted:>9,} instructions a message  {words}", flush=True)
    return exceeded


def main():
    binary, update = sys.argv[1], "--update" in sys.argv
    with open(BUDGET) as file:
        known = json.load(file)
    counts = count(binary)
    machine = platform.machine()
    exceeded = judge(counts, known["instructions"].get(machine, {}), known["tolerance"])
    if update:
        known["instructions"][machine] = counts
        with open(BUDGET, "w") as file:
            json.dump(known, file, indent=2)
            file.write("\n")
    elif machine not in known["instructions"]:
        print(f"bench-guard: there is no budget for {machine} yet; scripts/bench-guard --update writes one")
    elif exceeded:
        sys.exit(
            f"bench-guard: {', '.join(exceeded)}: more instructions a message than Benchmarks/budget.json allows.\n"
            "Find out why (valgrind --tool=callgrind shows where); if it is worth its price, run"
            " scripts/bench-guard --update and say so in the commit."
        )


if __name__ == "__main__":
    main()
