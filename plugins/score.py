#!/usr/bin/env python3
"""Turns results such as "Lions 3:1 Tigers", one a line, into records.

In pipeline.yaml:

    records:
      result:
        fields:
          home:       { type: text, required: true }
          away:       { type: text, required: true }
          home_goals: { type: integer, required: true }
          away_goals: { type: integer, required: true }
        check:
          - home != away
    workers:
      score: { command: [python3, plugins/score.py], consumes: unmatched }
"""
import json
import re
import sys

TEAM = r"[^\W\d_][^\d:\n]{0,39}?"
RESULT = re.compile(rf"^\s*({TEAM})\s+(\d{{1,3}})\s*[:–-]\s*(\d{{1,3}})\s+({TEAM})\s*$", re.MULTILINE)


def answer(text):
    records = [
        {"record": "result", "fields": {"home": home, "away": away, "home_goals": int(first), "away_goals": int(second)}}
        for home, first, second, away in RESULT.findall(text)
    ]
    return {"records": records} if records else {"skip": "no result in it"}


for line in sys.stdin:
    message = json.loads(line)
    # Flushed, because Chaffinch waits for this line before it sends the next one.
    print(json.dumps({"id": message["id"], **answer(message["chaffinch"]["text"])}), flush=True)
