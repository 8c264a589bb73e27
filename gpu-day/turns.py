"""Training speed on W1 to W3, ours and the peers' in turns: turns.py ROOM CUDA_LIBRARIES BATCH SECONDS RUNNER...

Round by round every runner measures every workload for so many seconds, so that whatever drifts falls on all alike. A
runner is `ours:ENGINE` or `ours:ENGINE+f16`, `torch:MODE` or `jax`; peers are started once and stay, ours is started anew for each measurement.
One JSON line each, as soon as it is known: {"round", "runner", "workload", ...}. A runner that fails says so in a line of
its own and takes no further part. Five rounds, or as many as there is time for.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading

# JAX takes three quarters of a GPU's memory where nobody forbids it, and others measure beside it.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

room, libraries, batch, seconds, *runners = sys.argv[1:]
WORKLOADS = ["W1", "W2", "W3"]
ROUNDS = 5
# Seconds that an answer may take beyond the measuring: compiling is the longest.
PATIENCE = 60


def say(line):
    print(json.dumps(line), flush=True)


def run(command, environment=None):
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE + float(seconds),
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


class Ours:
    """playground-cli, with CUDA's libraries where its engine needs them."""

    def __init__(self, engine):
        engine, _, precision = engine.partition("+")
        cuda = engine == "candle-cuda"
        self.program = f"{room}/bin/playground-cli{'-cuda' if cuda else ''}"
        self.environment = {"LD_LIBRARY_PATH": libraries} if cuda else {}
        self.options = ["--engine", engine, "--batch", batch, "--seconds", seconds, "--json"]
        self.options += ["--precision", precision] if precision else []

    def close(self):
        pass

    def measure(self, workload):
        return run([self.program, "bench", "--workload", workload, *self.options], self.environment)


class Peer:
    """A script that measures what it reads a line of."""

    def __init__(self, module, script, *arguments):
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True, timeout=PATIENCE)
        command = [sys.executable, f"{room}/peers/{script}", *arguments, "-"]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def measure(self, workload):
        guard = threading.Timer(PATIENCE + float(seconds), self.process.kill)
        guard.start()
        try:
            print(workload, file=self.process.stdin, flush=True)
            line = "-"
            while line and not line.startswith("{"):  # libraries greet and warn
                line = self.process.stdout.readline()
        finally:
            guard.cancel()
        if not line:
            self.errors.seek(0)
            last = (self.errors.read().strip().splitlines() or ["it says no more"])[-1]
            raise RuntimeError(f"it ended, or did not answer for {PATIENCE} s: {last[-300:]}")
        return json.loads(line)

    def close(self):
        self.process.kill()


def open_runner(name):
    kind, _, what = name.partition(":")
    if kind == "ours":
        return Ours(what)
    if kind == "torch":
        device = "cpu" if os.environ.get("TURNS_ON_CPU") else "cuda"
        return Peer("torch", "torch_peer.py", device, batch, what, seconds)
    return Peer("jax", "jax_peer.py", batch, seconds)


ready = {}
for name in runners:
    try:
        ready[name] = open_runner(name)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        detail = getattr(error, "stderr", None) or str(error)
        detail = detail.decode() if isinstance(detail, bytes) else detail
        say({"runner": name, "missing": detail.strip()[-300:]})
for number in range(1, ROUNDS + 1):
    for workload in WORKLOADS:
        for name in list(ready):
            try:
                say({**ready[name].measure(workload), "round": number, "runner": name, "workload": workload})
            except (OSError, ValueError, TypeError, RuntimeError, subprocess.TimeoutExpired) as error:
                ready.pop(name).close()
                say({"runner": name, "failed": f"{workload}: {error}"[:400]})
