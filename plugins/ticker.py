import json, os, socket, sys, threading

control = socket.socket(fileno=int(os.environ["CHAFFINCH_CONTROL_FD"]))
drain = threading.Event()

def say(**message):
    control.sendall(json.dumps(message).encode() + b"\n")

def listen():
    for line in control.makefile(encoding="utf-8"):
        if json.loads(line)["type"] == "drain":
            break
    drain.set()  # told to drain, or the supervisor is gone

say(type="hello", protocol="chaffinch-child/1", role="ticker", pid=os.getpid())
threading.Thread(target=listen, daemon=True).start()
say(type="ready")
ticks = 0
while not drain.wait(0.5):
    ticks += 1  # one unit of work
    say(type="heartbeat", seq=ticks, progress=ticks)
    say(type="stats", ticks=ticks)
print("finished after", ticks, "ticks", file=sys.stderr)
