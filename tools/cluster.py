"""A cluster of real cairn processes, for benchmarks and long trials. Only what was started here is
ever ended."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class RespError(Exception):
    pass


class Resp:
    """A small blocking client."""

    def __init__(self, port, timeout=5.0):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.sock.close()

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return RespError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            while len(self.buffer) < size + 2:
                self._more()
            value, self.buffer = self.buffer[:size], self.buffer[size + 2:]
            return value
        if kind == b"*":
            return None if int(rest) < 0 else [self._value() for _ in range(int(rest))]
        return rest.decode()

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        value = self._value()
        if isinstance(value, RespError):
            raise value
        return value


class Cluster:
    def __init__(self, nodes=3, offset=20000, binary=None, folder=None, settings=()):
        self.binary = binary or os.path.join(ROOT, "build", "cairn")
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="cairn-")
        self.nodes, self.offset, self.settings = nodes, offset, list(settings)
        self.processes = {}
        for node in range(1, nodes + 1):
            self.write_config(node)

    def redis(self, node):
        return 7000 + node + self.offset

    def peer(self, node):
        return 7100 + node + self.offset

    def admin(self, node):
        return 7200 + node + self.offset

    def zookeeper(self, node):
        return 2180 + node + self.offset

    def data(self, node):
        return os.path.join(self.folder, f"node-{node}")

    def write_config(self, node, members=None, bootstrap=True):
        members = members or range(1, self.nodes + 1)
        with open(f"{self.data(node)}.ini", "w", encoding="utf-8") as out:
            out.write(f"[node]\nid = {node}\ndir = {self.data(node)}\n[cluster]\nname = trial\nmembers = "
                      + " ".join(f"{m}=127.0.0.1:{self.peer(m)}" for m in members)
                      + f"\nbootstrap = {'yes' if bootstrap else 'no'}\n"
                      f"[redis]\nlisten = 127.0.0.1:{self.redis(node)}\n"
                      f"[peer]\nlisten = 127.0.0.1:{self.peer(node)}\n"
                      f"[admin]\nlisten = 127.0.0.1:{self.admin(node)}\n"
                      f"[zookeeper]\nlisten = 127.0.0.1:{self.zookeeper(node)}\n")

    def start(self, node):
        command = [self.binary, "server", "--config", f"{self.data(node)}.ini"]
        for setting in self.settings:
            command += ["--set", setting]
        log = open(f"{self.data(node)}.log", "ab")
        self.processes[node] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()

    def start_all(self):
        for node in range(1, self.nodes + 1):
            self.start(node)
        self.wait_healthy()

    def signal(self, node, number):
        self.processes[node].send_signal(number)

    def kill(self, node):
        self.processes[node].kill()
        self.processes.pop(node).wait()

    def stop(self, node, patience=15):
        process = self.processes.pop(node)
        process.terminate()
        return process.wait(patience)

    def status(self, node, timeout=2.0):
        try:
            client = Resp(self.redis(node), timeout)
            try:
                return json.loads(client("CAIRN.STATUS"))
            finally:
                client.close()
        except (OSError, RespError):
            return None

    def leader(self, patience=20):
        end = time.time() + patience
        while time.time() < end:
            for node in list(self.processes):
                status = self.status(node)
                if status and status["role"] == "leader":
                    return node
            time.sleep(0.02)
        raise RuntimeError("no leader")

    def wait_healthy(self, patience=30):
        end = time.time() + patience
        while time.time() < end:
            states = [self.status(node) for node in self.processes]
            if all(s and s["health"] == "ok" for s in states):
                return
            time.sleep(0.05)
        raise RuntimeError(f"not healthy: {states}")

    def cpu_seconds(self):
        """User and system time of all running servers."""
        total = 0.0
        for process in self.processes.values():
            with open(f"/proc/{process.pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def resident_bytes(self, node):
        with open(f"/proc/{self.processes[node].pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def close(self, keep=False):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        if self.own_folder and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
