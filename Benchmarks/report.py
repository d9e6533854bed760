"""What was measured: shown while it runs, written as JSON, and put between the markers of docs/performance.md."""

import datetime
import json
import os
import platform
import re
import statistics
import sys

import plot


class Report:
    """Sections by stage; each has figures (medians with their spread), ratios, and perhaps plots."""

    def __init__(self, options):
        self.options = options
        self.sections = {}
        self.current = None

    def begin(self, stage, title):
        self.current = self.sections.setdefault(
            stage, {"title": title, "figures": [], "ratios": [], "plots": [], "machine": machine()}
        )
        print(f"{title}", flush=True)

    def figure(self, name, values, unit="messages/s", digits=0, **more):
        """The median of several runs. What else is given stands beside it, in further columns."""
        entry = {
            "name": name, "median": statistics.median(values), "low": min(values), "high": max(values),
            "runs": len(values), "unit": unit, "digits": digits, **more,
        }
        self.current["figures"].append(entry)
        others = "  ".join(f"{key} {value}" for key, value in more.items())
        print(f"  {name:<50} {number(entry['median'], digits):>12} {unit:<12} {spread(entry):<22} {others}", flush=True)
        return entry["median"]

    def ratio(self, name, value, limit, aim=None):
        entry = {"name": name, "ratio": value / limit, "aim": aim}
        self.current["ratios"].append(entry)
        print(f"  {name:<50} {entry['ratio']:>12.2f} ×            {verdict(entry)}", flush=True)

    def plot(self, name, **keywords):
        self.current["plots"].append({"name": name, **keywords})

    # Where it goes

    def write_json(self, path):
        with open(path, "w") as file:
            json.dump(self.sections, file, indent=1)
            file.write("\n")

    def write_document(self, path):
        """Replaces what stands between the markers of each stage that was measured."""
        with open(path) as file:
            text = file.read()
        folder = os.path.join(os.path.dirname(path), "performance")
        os.makedirs(folder, exist_ok=True)
        for stage, section in self.sections.items():
            begin, end = f"<!-- bench {stage} -->\n", "<!-- end -->"
            pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
            if not pattern.search(text):
                sys.exit(f"bench: {path} has no markers for '{stage}'")
            block = begin + self.markdown(stage, section) + end
            text = pattern.sub(lambda _: block, text)
            for each in section["plots"]:
                plot.write(os.path.join(folder, each["name"] + ".svg"), **{k: v for k, v in each.items() if k != "name"})
        with open(path, "w") as file:
            file.write(text)

    def markdown(self, stage, section):
        columns = []
        for entry in section["figures"]:
            columns += [key for key in entry if key not in STANDARD and key not in columns]
        lines = ["| | median | lowest to highest |" + "".join(f" {name} |" for name in columns)]
        lines.append("|---|---:|---|" + "---:|" * len(columns))
        for entry in section["figures"]:
            cells = [entry["name"], f"{number(entry['median'], entry['digits'])} {entry['unit']}", spread(entry)]
            cells += [str(entry.get(name, "")) for name in columns]
            lines.append("| " + " | ".join(cells) + " |")
        if section["ratios"]:
            lines += ["", "| Ratio | | aim |", "|---|---:|---|"]
            lines += [f"| {each['name']} | {each['ratio']:.2f} | {verdict(each)} |" for each in section["ratios"]]
        lines = [line.replace("|  |", "| |") for line in lines]
        images = "".join(f'![{each["title"]}](performance/{each["name"]}.svg)\n' for each in section["plots"])
        note = f"{section['machine']}. `{self.command(stage)}`"
        return "\n".join(lines) + "\n\n" + (images + "\n" if images else "") + note + "\n"

    def command(self, stage):
        return " ".join(["scripts/bench", "--stage", stage, *self.options.words])


STANDARD = {"name", "median", "low", "high", "runs", "unit", "digits"}


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def spread(entry):
    if entry["runs"] == 1:
        return "once"
    return f"{number(entry['low'], entry['digits'])} to {number(entry['high'], entry['digits'])}"


def verdict(ratio):
    if ratio["aim"] is None:
        return ""
    return f"at least {ratio['aim']:g}: {'met' if ratio['ratio'] >= ratio['aim'] else 'missed'}"


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    today = datetime.date.today().isoformat()
    return f"{today}, {os.cpu_count()} × {model}, load {os.getloadavg()[0]:.1f} at the start"
