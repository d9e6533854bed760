"""Asks openai-simulator with OpenAI's own client: an answer, a refusal, errors, retried faults, a strict schema."""

import json
import os
import sys
import urllib.request

import openai

BASE = os.environ["OPENAI_SIMULATOR"]
KEY = os.environ["OPENAI_SIMULATOR_KEY"]
SCHEMA = {
    "type": "object",
    "properties": {"records": {"type": "array", "items": {"type": "string"}}},
    "required": ["records"],
    "additionalProperties": False,
}


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(BASE.removesuffix("/v1") + "/simulator/" + path, data=data), timeout=10
    ) as answer:
        return json.load(answer)


def expect(condition, sentence):
    if not condition:
        sys.exit(f"openai_client: expected that {sentence}")


def ask(client, text, schema=SCHEMA, **more):
    return client.chat.completions.create(
        model="simulated",
        messages=[{"role": "system", "content": "Read."}, {"role": "user", "content": text}],
        temperature=0,
        max_tokens=100,
        response_format={
            "type": "json_schema", "json_schema": {"name": "records", "strict": True, "schema": schema}},
        **more,
    )


def expect_failure(kind, work, sentence, code=None):
    try:
        work()
    except kind as error:
        expect(error.code == code, f"{sentence} with code {code}, not {error.code}")
    else:
        expect(False, sentence)


client = openai.OpenAI(api_key=KEY, base_url=BASE, max_retries=3)
hasty = client.with_options(max_retries=0)

control("answers", {"text": "one", "content": '{"records":["1"]}'})
control("answers", {"text": "no", "refusal": "I can't help with that."})
control("answers", {"text": "long", "content": "x" * 1000})

answer = ask(client, "one")
expect(answer.choices[0].message.content == '{"records":["1"]}', "the recorded answer comes")
expect(answer.choices[0].finish_reason == "stop", "it is whole")
expect(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, "its cost adds up")
refused = ask(client, "no").choices[0].message
expect(refused.refusal == "I can't help with that." and refused.content is None, "a refusal comes as one")
expect(ask(client, "long").choices[0].finish_reason == "length", "a long answer is cut at the limit")
expect(json.loads(ask(client, "unknown").choices[0].message.content) == {"records": []}, "the schema is held to")

expect_failure(
    openai.AuthenticationError, lambda: ask(openai.OpenAI(api_key="sk-x", base_url=BASE), "one"),
    "a wrong key is refused", "invalid_api_key")
expect_failure(
    openai.BadRequestError, lambda: ask(client, "one", schema={**SCHEMA, "required": []}),
    "a schema that is not strict is refused")
expect_failure(openai.BadRequestError, lambda: ask(client, "one", tools=[]), "tools are refused")
expect_failure(openai.NotFoundError, lambda: client.models.list(), "other paths are not found")

before = control("stats")
control("faults", {"mode": "429", "requests": 2, "retry_after_ms": 200})
expect(ask(client, "one").choices, "429 is waited out")
expect(control("stats")["too_early"] == before["too_early"], "OpenAI's client waits as long as it is told")
control("faults", {"mode": "500", "requests": 1})
expect(ask(client, "one").choices, "500 is retried")
control("faults", {"mode": "quota", "requests": 1})
expect_failure(openai.RateLimitError, lambda: ask(hasty, "one"), "a spent quota is told", "insufficient_quota")
for mode in ["reset", "cut"]:
    control("faults", {"mode": mode, "requests": 1})
    try:
        ask(hasty, "one")
        expect(False, f"'{mode}' is a fault")
    except (openai.APIError, json.JSONDecodeError):
        pass
print(f"openai {openai.__version__}: ok, {control('stats')['requests']} requests")
