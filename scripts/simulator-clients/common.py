"""What both checks share: where the simulator is, what it holds, and how a failed expectation ends the run."""

import json
import os
import sys
import urllib.request

API = os.environ["SIMULATOR_API"]
ROOT = API.removesuffix("/api/v10")
TOKEN = os.environ["SIMULATOR_TOKEN"]
UNKNOWN_CHANNEL = 1


def control(path, body=None):
    """Asks the simulator itself, or steers it."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(ROOT + path, data=data), timeout=10) as answer:
        return json.load(answer)


def channels():
    """Ids of the channels with messages, the fullest first, and of one the bot may not see."""
    stats = control("/simulator/stats")["channels"]
    full = sorted((id for id in stats if stats[id]["messages"]), key=lambda id: -stats[id]["messages"])
    denied = next(id for id in stats if not stats[id]["messages"])
    return [int(id) for id in full], int(denied)


def expect(condition, sentence):
    if not condition:
        sys.exit(f"{os.path.basename(sys.argv[0])}: expected that {sentence}")


def expect_whole_history(channel, ids, ingestible_ids):
    """All messages once each, and the ingestible ones just those that the simulator holds."""
    held = control("/simulator/stats")["channels"][str(channel)]["messages"]
    truth = [int(id) for id in control(f"/simulator/ids?channel={channel}")]
    expect(len(ids) == held > 100, f"{held} messages arrive, more than a page, but {len(ids)} did")
    expect(ids == sorted(set(ids)), "messages arrive oldest first and once each")
    expect(ingestible_ids == truth, "the ingestible messages are those the simulator holds")
