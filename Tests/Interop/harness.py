"""What every check stands on: a registry, a workshop of processes that all end again, and polling instead of sleeping."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PINHOLE = os.environ.get("PINHOLE", os.path.join(ROOT, ".build", "release", "pinhole"))

# Times are for an idle machine; a busy one takes longer, and what never comes ends all the same.
PATIENCE = 3

CHECKS = []


class Failure(Exception):
    """A fact that does not hold: what was expected and what was seen."""

    def __init__(self, expected, seen):
        super().__init__(f"expected {expected}; saw {seen}")


class Skip(Exception):
    """This machine lacks something; the check says nothing about Pinhole."""


class Check:
    def __init__(self, name, body, needs, root, timeout):
        self.name, self.body, self.needs, self.root, self.timeout = name, body, needs, root, timeout

    def require(self):
        """Raises Skip with the reason when this machine cannot run the check."""
        for program in self.needs:
            if not find(program):
                raise Skip(f"{program} is not installed")
        if self.root and os.geteuid() != 0:
            raise Skip("needs root, for network namespaces")


def check(name, needs=(), root=False, timeout=30):
    """Registers a function of one Workshop as a check."""

    def register(body):
        CHECKS.append(Check(name, body, needs, root, timeout))
        return body

    return register


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def expect(condition, expected, seen):
    if not condition:
        raise Failure(expected, seen)


def expect_equal(seen, expected, what):
    if seen != expected:
        raise Failure(f"{what} {expected!r}", repr(seen))


def until(what, probe, timeout=10, every=0.05):
    """Polls until `probe` returns something true, and returns that."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what} within {timeout * PATIENCE} s", "nothing of the kind")
        time.sleep(every)


class Process:
    """A program under way; everything it says is in one file."""

    def __init__(self, name, arguments, log, environment, pipe=False):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                arguments, stdin=subprocess.PIPE if pipe else subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=environment, start_new_session=True)

    def text(self):
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def count(self, pattern, start=0):
        return len(re.findall(pattern, self.text()[start:], re.M))

    def wait_for(self, pattern, timeout=10, start=0, what=None):
        """Waits until the program has said `pattern`; fails at once when it ended without. Returns the match."""
        expected = what or f"{self.name} to say /{pattern}/"

        def probe():
            ended = self.popen.poll() is not None
            match = re.search(pattern, self.text()[start:], re.M)
            if not match and ended:
                raise Failure(expected, f"its end with status {self.popen.returncode}")
            return match

        return until(expected, probe, timeout)

    def wait(self, timeout=15):
        """Waits for the end and returns the exit status; minus the signal where one ended it."""
        try:
            return self.popen.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} to end within {timeout * PATIENCE} s", "it still ran") from None

    def signal(self, number):
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def interrupt(self, timeout=15):
        """Ctrl-C, and the exit status that came of it."""
        self.signal(signal.SIGINT)
        return self.wait(timeout)

    def kill(self):
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


class Workshop:
    """One check's folder, processes and cleanups. As a context it leaves nothing running."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.cleanups = []
        os.makedirs(folder, exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
        for cleanup in reversed(self.cleanups):
            cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, arguments, ns=None, pipe=False, **environment):
        number = sum(1 for process in self.processes if process.name.split("#")[0] == name) + 1
        label = name if number == 1 else f"{name}#{number}"
        log = self.path(label.replace("#", "-") + ".log")
        with open(self.path("commands.txt"), "a") as file:
            file.write(f"{label}: {' '.join(self.inside(ns, arguments))}\n")
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PINHOLE_")}
        variables.update(PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C", NO_COLOR="1", TERM="dumb", COLUMNS="100")
        variables.update(environment)
        process = Process(label, self.inside(ns, arguments), log, variables, pipe)
        self.processes.append(process)
        return process

    def run(self, name, arguments, ns=None, timeout=15, **environment):
        """Runs to the end; returns exit status and everything said."""
        process = self.start(name, arguments, ns, **environment)
        status = process.wait(timeout)
        return status, process.text()

    @staticmethod
    def inside(ns, arguments):
        return (["ip", "netns", "exec", ns] if ns else []) + [str(argument) for argument in arguments]

    def logs(self, limit=6000):
        """The end of every log, for a report of failure."""
        parts = []
        for name in ["commands.txt"] + sorted(set(os.listdir(self.folder)) - {"commands.txt"}):
            path = self.path(name)
            if not os.path.isfile(path) or not name.endswith((".log", ".txt", ".trace")):
                continue
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "replace").rstrip()
            if text:
                cut = "" if len(text) <= limit else f"[the last {limit} of {len(text)} characters]\n"
                parts.append(f"--- {name}\n{cut}{text[-limit:]}")
        return "\n".join(parts)


def template(name, target, **values):
    """Writes Tests/Interop/NAME with its @KEY@ places filled to `target`."""
    with open(os.path.join(HERE, name)) as file:
        text = file.read()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    left = re.search(r"@[A-Z]+@", text)
    if left:
        raise ValueError(f"{name} has an unfilled place {left.group(0)}")
    with open(target, "w") as file:
        file.write(text)
    return target


def scratch():
    return tempfile.mkdtemp(prefix="pinhole-interop-")
