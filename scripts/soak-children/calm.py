"""A child of the tree that does nothing wrong: whatever its siblings do, it must keep its pid. See scripts/soak."""
import json, os, select, socket

control = socket.socket(fileno=int(os.environ["CHAFFINCH_CONTROL_FD"]))


def say(**message):
    control.sendall(json.dumps(message).encode() + b"\n")


say(type="hello", protocol="chaffinch-child/1", role="calm", pid=os.getpid())
say(type="ready")
beats = 0
while not select.select([control], [], [], 0.2)[0]:
    beats += 1
    say(type="heartbeat", seq=beats, progress=beats, backlog=1)
    say(type="stats", turns=beats)
