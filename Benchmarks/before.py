"""The design Chaffinch replaces, as its own documentation describes it: three services joined by RabbitMQ, one Discord
message a delivery, acknowledged automatically before any work, one row a statement and a commit for each.

    before.py AMQP_URL DATABASE_URL PAGES COUNT     prints {"messages": …, "seconds": …}

Stands beside the pipeline in `scripts/bench` so that both are measured on one machine in one run."""

import json
import multiprocessing
import re
import sys
import time

import pika
import psycopg

SIGNAL = re.compile(r"\$?(\w+)\s+(long|short|buy|sell)\b.*?entry\D*([\d.,]+)", re.I | re.S)
STOP = re.compile(r"^\W*(SL|TP\d*)\W{1,3}([\d.,]+)", re.I | re.M)


def channel_of(url, queue):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    return connection, channel


def processor(url):
    _, source = channel_of(url, "before.raw")
    _, target = channel_of(url, "before.parsed")

    def handle(channel, method, properties, body):
        message = json.loads(body)
        found = SIGNAL.search(message["content"])
        record = None
        if found:
            stops = [
                {"type": "stop_loss" if name.upper() == "SL" else "take_profit", "price": price.replace(",", "")}
                for name, price in STOP.findall(message["content"])
            ]
            record = {
                "ticker": found[1],
                "side": "long" if found[2].lower() in ("long", "buy") else "short",
                "entry": found[3].replace(",", "").rstrip("."),
                "stops": stops,
            }
        target.basic_publish("", "before.parsed", json.dumps({"message": message, "record": record}))

    source.basic_consume("before.raw", handle, auto_ack=True)
    source.start_consuming()


def writer(url, database):
    _, source = channel_of(url, "before.parsed")
    with psycopg.connect(database, autocommit=True) as rows:

        def handle(channel, method, properties, body):
            parsed = json.loads(body)
            message, record = parsed["message"], parsed["record"]
            rows.execute(
                "INSERT INTO before_messages VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (message["id"], message["channel_id"], message["content"], message["timestamp"]),
            )
            if record:
                rows.execute(
                    "INSERT INTO before_signals VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    (message["id"], record["ticker"], record["side"], record["entry"]),
                )
                for place, stop in enumerate(record["stops"]):
                    rows.execute(
                        "INSERT INTO before_stops VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                        (message["id"], place, stop["type"], stop["price"]),
                    )

        source.basic_consume("before.parsed", handle, auto_ack=True)
        source.start_consuming()


def main():
    url, database, pages, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    messages = []
    with open(pages) as lines:
        for line in lines:
            messages += json.loads(line)
            if len(messages) >= count:
                break
    messages = messages[:count]
    rows = psycopg.connect(database, autocommit=True)
    rows.execute("DROP TABLE IF EXISTS before_messages, before_signals, before_stops")
    rows.execute("CREATE TABLE before_messages (id bigint PRIMARY KEY, channel_id bigint, content text, sent_at timestamptz)")
    rows.execute("CREATE TABLE before_signals (message_id bigint PRIMARY KEY, ticker text, side text, entry numeric)")
    rows.execute(
        "CREATE TABLE before_stops (message_id bigint, position int, type text, price numeric,"
        " PRIMARY KEY (message_id, position))"
    )
    connection, channel = channel_of(url, "before.raw")
    channel_of(url, "before.parsed")
    services = [
        multiprocessing.Process(target=processor, args=(url,), daemon=True),
        multiprocessing.Process(target=writer, args=(url, database), daemon=True),
    ]
    for service in services:
        service.start()
    start = time.monotonic()
    for message in messages:
        channel.basic_publish("", "before.raw", json.dumps(message))
    while True:
        stored = rows.execute("SELECT count(*) FROM before_messages").fetchone()[0]
        if stored >= len(messages):
            break
        if time.monotonic() - start > 120:
            sys.exit(f"before.py: {stored} of {len(messages)} rows after two minutes")
        connection.process_data_events(0)
        time.sleep(0.02)
    seconds = time.monotonic() - start
    for service in services:
        service.terminate()
    for queue in ("before.raw", "before.parsed"):
        channel.queue_delete(queue)
    rows.execute("DROP TABLE before_messages, before_signals, before_stops")
    print(json.dumps({"messages": len(messages), "seconds": seconds}))


if __name__ == "__main__":
    main()
