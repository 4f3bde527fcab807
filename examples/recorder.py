"""Records what clients of a Redis server are told, as JSON lines for cairn check (docs/first-hour.md).

Usage: python3 recorder.py SECONDS WRITE_PORT [READ_PORT ...] > history.jsonl
"""
import itertools, json, random, socket, sys, threading, time

seconds, write_port, *read_ports = map(int, sys.argv[1:])
lock, processes, values, began = threading.Lock(), itertools.count(), itertools.count(1), time.monotonic_ns()

def record(process, kind, f, key, value):  # one lock: lines stand in the order in which things happened
    with lock:
        print(json.dumps({"process": process, "type": kind, "f": f, "key": key, "value": value,
                          "time": time.monotonic_ns() - began}))

def line_of(stream):
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection ended within a reply")
    return line[:-2]

def ask(stream, *words):
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(word).encode() for word in words)]
    stream.write(b"*%d\r\n" % len(words) + b"".join(parts))
    stream.flush()
    reply = line_of(stream)
    return int(line_of(stream)) if reply[:1] == b"$" and reply != b"$-1" else None if reply == b"$-1" else reply

def client():
    process, streams = next(processes), {}
    while time.monotonic_ns() - began < seconds * 1e9:
        f, key = random.choice(["read", "write"]), random.randrange(4)
        value = next(values) if f == "write" else None
        port = write_port if f == "write" else random.choice(read_ports or [write_port])
        record(process, "invoke", f, key, value)  # before the request leaves
        try:
            if port not in streams:
                streams[port] = socket.create_connection(("127.0.0.1", port), timeout=1).makefile("rwb")
            name = f"run{began}:{key}"  # of this run alone: nothing of an earlier one is read
            reply = ask(streams[port], *(("GET", name) if f == "read" else ("SET", name, value)))
            refused = isinstance(reply, bytes) and reply[:1] == b"-"  # an error: it was not executed
            record(process, "fail" if refused else "ok", f, key, reply if f == "read" and not refused else value)
        except OSError:  # no answer: it may happen at any later time, so this process does nothing more
            record(process, "info", f, key, value)
            process, streams = next(processes), {}
            time.sleep(0.1)

for _ in range(6):
    threading.Thread(target=client).start()
