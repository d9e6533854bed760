"""A child of the tree that behaves badly at random, by a seed: scripts/soak runs a dozen of them.

It speaks chaffinch-child/1 as docs/plugins.md has it, holds a lock that only one incarnation of it can hold, and then
crashes, hangs, floods, forks, ignores signals, closes its control channel or says rubbish.
"""
import fcntl, json, os, random, signal, socket, sys, time

folder, name, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])


def report(violation):
    with open(f"{folder}/violations", "a") as file:
        file.write(f"{name} (pid {os.getpid()}): {violation}\n")


# The lock is shared with whatever it forks into its own group: all of that must be gone before the next incarnation.
lock = os.open(f"{folder}/{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    report("a second incarnation, or the group of the last one still lives")
    sys.exit(70)
runs = int(os.pread(lock, 20, 0) or b"0") + 1
os.pwrite(lock, str(runs).encode(), 0)
chance = random.Random(f"{seed} {name} {runs}")

control = socket.socket(fileno=int(os.environ["CHAFFINCH_CONTROL_FD"]))
control.setblocking(False)
if chance.random() < 0.2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if chance.random() < 0.1:
    signal.signal(signal.SIGABRT, signal.SIG_IGN)


def say(**message):
    try:
        control.send(json.dumps(message).encode() + b"\n")
    except BlockingIOError:
        pass


def drained():
    try:
        heard = control.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not heard or b'"drain"' in heard


def hang():
    while True:
        time.sleep(1000)


def fork(in_group):
    if os.fork() != 0:
        return
    control.close()
    if in_group:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        hang()
    os.close(lock)
    os.setsid()
    time.sleep(chance.random() * 3)
    os._exit(0)


def flood_log():
    line = b"x" * chance.choice([10, 1000, 40000]) + b"\n"
    for _ in range(2_000_000 // len(line)):
        os.write(1, line)


def flood_control():
    control.setblocking(True)
    control.settimeout(1)
    try:
        for _ in range(200):
            control.sendall(b"y" * chance.choice([1, 100, 9000]) + b"\n")
    except OSError:
        pass
    control.setblocking(False)


def close_control():
    control.close()
    hang()


def kill_self():
    os.kill(os.getpid(), chance.choice([signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGABRT]))


deeds = [
    (20, lambda: os._exit(chance.randrange(256) if chance.random() < 0.9 else 0)), (8, kill_self), (6, hang),
    (3, close_control), (10, flood_log), (10, flood_control), (8, lambda: fork(True)), (8, lambda: fork(False)),
    (6, lambda: say(type="stats", n=chance.randrange(1 << 40))), (6, lambda: say(type="nonsense")),
    (6, lambda: say(type="extend", ms=chance.randrange(1, 3000))),
    (4, lambda: control.send(b"\xff\xfe{\n")),
]

if chance.random() < 0.1:
    os._exit(chance.randrange(1, 256))
say(type="hello", protocol="chaffinch-child/1", role="unruly", pid=os.getpid())
time.sleep(chance.random() * 0.5)
if chance.random() < 0.95:
    say(type="ready")
beats = 0
while not drained():
    beats += 1
    say(type="heartbeat", seq=beats, progress=beats, backlog=chance.randrange(3))
    time.sleep(0.2)
    if chance.random() < 0.06:
        try:
            chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()
        except OSError:
            pass
