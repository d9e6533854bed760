"""Compares pages of messages with what Discord's documentation says they hold, while messages come, change and go."""

import json
import os
import random
import urllib.request

from common import API, TOKEN, control, expect

ROUNDS = 1000


def page(channel, query):
    headers = {"Authorization": f"Bot {TOKEN}", "User-Agent": "DiscordBot (https://example.org, 1)"}
    request = urllib.request.Request(f"{API}/channels/{channel}/messages?{query}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        expect(answer.headers["Content-Type"] == "application/json", "no charset is named")
        return json.load(answer)


def expected(ids, kind, anchor, limit):
    """Ids, newest first."""
    below = [id for id in ids if id < anchor]
    above = [id for id in ids if id > anchor]
    half = limit // 2
    chosen = {
        "latest": ids[-limit:],
        "before": below[-limit:],
        "after": above[:limit],
        "around": below[len(below) - min(half, len(below)):] + [id for id in ids if id == anchor] + above[:half],
    }
    return chosen[kind][::-1]


def disturb(channel, messages, rng, number):
    """Posts one message, edits one and deletes one."""
    posted = control("/simulator/messages", {"channel_id": str(channel), "content": f"live {number}"})
    expect(int(posted["id"]) > max(messages), "a posted message is the newest")
    messages[int(posted["id"])] = posted
    id = rng.choice(sorted(messages))
    messages[id] = control("/simulator/messages", {"id": str(id), "content": f"edited {number}"})
    expect(messages[id]["edited_timestamp"], "an edit shows")
    id = rng.choice(sorted(messages))
    control("/simulator/messages", {"id": str(id), "delete": True})
    del messages[id]


def main():
    rng = random.Random(7)
    with open(os.environ["SIMULATOR_RECORDING"], encoding="utf-8") as lines:
        recorded = [json.loads(line) for line in lines]
    channel = next(int(line["channel_id"]) for line in recorded if "channel_id" in line)
    messages = {int(m["id"]): m for m in recorded if m.get("channel_id") == str(channel)}
    for number in range(ROUNDS):
        kind = rng.choice(["latest", "before", "after", "around"])
        anchor = rng.choice([0, 2**63 - 1] + [id + rng.choice([-1, 0, 1]) for id in rng.sample(sorted(messages), 20)])
        limit = rng.choice([1, 2, 3, 50, 99, 100])
        query = f"limit={limit}" + ("" if kind == "latest" else f"&{kind}={anchor}")
        got = page(channel, query)
        expect([int(m["id"]) for m in got] == expected(sorted(messages), kind, anchor, limit), f"{query} is right")
        expect(all(m == messages[int(m["id"])] for m in got), "messages are served as recorded")
        if number % 10 == 0:
            disturb(channel, messages, rng, number)
    counted = control("/simulator/stats")["channels"][str(channel)]
    expect(counted["messages"] == len(messages), "the count of messages follows")
    print(f"paging: ok, {ROUNDS} pages")


main()
