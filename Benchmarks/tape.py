"""The tape for `unnest_loop`: the rows that a run of store left in the tables, as binary arrays for the statements that
store itself sent, read from the server's log."""

import re
import struct

TRANSACTION = 2_000
TABLES = ["messages", "trading_signal", "trading_signal_trading_stops"]
ELEMENTS = {"bigint": 20, "text": 25, "json": 114, "boolean": 16, "timestamptz": 1184}
# Postgres counts microseconds from the first of January 2000.
EPOCH = 946_684_800_000_000


def statements(log):
    """The inserts by table: `{table: (sql, [(column, element type)])}`."""
    found = {}
    with open(log, errors="replace") as file:
        text = file.read()
    for match in re.finditer(r"LOG:  execute \S+: (INSERT INTO \"?(\w+)\"? .*(?:\n\t.*)*)", text):
        sql = match[1].replace("\n\t", "\n")
        selection = re.search(r"unnest\((.*)\) AS u \((.*)\)", sql)
        if selection:
            types = re.findall(r"\$\d+::(\w+)\[\]", selection[1])
            columns = [name.strip().strip('"') for name in selection[2].split(",")]
            found[match[2]] = (sql, list(zip(columns, types)))
    return found


def encode(value, kind):
    if kind == "bigint":
        return struct.pack(">q", int(value))
    if kind == "boolean":
        return b"\1" if value else b"\0"
    if kind == "timestamptz":
        return struct.pack(">q", int(value) - EPOCH)
    return str(value).encode()


def array(values, kind):
    parts, has_null = [], 0
    for value in values:
        if value is None:
            has_null = 1
            parts.append(struct.pack(">i", -1))
        else:
            data = encode(value, kind)
            parts.append(struct.pack(">i", len(data)) + data)
    return struct.pack(">iiIii", 1, has_null, ELEMENTS[kind], len(values), 1) + b"".join(parts)


def selected(column, kind):
    if kind == "timestamptz":
        return f'(extract(epoch from "{column}") * 1000000)::bigint'
    return f'"{column}"::text' if kind in ("text", "json") else f'"{column}"'


def write(path, rows, inserts):
    """- rows: a psycopg connection to the database that holds the rows; inserts: what ``statements`` found."""
    tables = TABLES
    fetched = {}
    for table in tables:
        columns = inserts[table][1]
        key = "id" if table == "messages" else "message_id"
        order = {"messages": "id", "trading_signal": "message_id, ordinal"}.get(table, "message_id, ordinal, position")
        names = ", ".join(selected(*column) for column in columns)
        fetched[table] = rows.execute(f'SELECT {key}, {names} FROM "{table}" ORDER BY {order}').fetchall()
    places = dict.fromkeys(tables, 0)
    with open(path, "wb") as tape:
        for number, table in enumerate(tables):
            sql = inserts[table][0].encode()
            tape.write(b"P" + struct.pack("<II", number, len(sql)) + sql)
        messages = fetched["messages"]
        for start in range(0, len(messages), TRANSACTION):
            last = messages[min(start + TRANSACTION, len(messages)) - 1][0]
            tape.write(b"B")
            for number, table in enumerate(tables):
                chunk = []
                while places[table] < len(fetched[table]) and fetched[table][places[table]][0] <= last:
                    chunk.append(fetched[table][places[table]])
                    places[table] += 1
                if not chunk:
                    continue
                columns = inserts[table][1]
                tape.write(b"E" + struct.pack("<II", number, len(columns)))
                for place, (_, kind) in enumerate(columns, start=1):
                    data = array([row[place] for row in chunk], kind)
                    tape.write(struct.pack("<I", len(data)) + data)
            tape.write(b"C")
