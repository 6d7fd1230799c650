"""One line for each check, a count at the end, and an exit code."""

import re
import signal
import sys

# A script that is told to stop leaves in the ordinary way, and so stops the programs that it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


class Checks:
    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def equal(self, what, actual, expected):
        self._line(what, actual == expected, f"expected {expected!r}, got {actual!r}")

    def differ(self, what, one, other):
        self._line(what, one != other, f"both are {one!r}")

    def matches(self, what, actual, pattern):
        found = isinstance(actual, str) and re.fullmatch(pattern, actual) is not None
        self._line(what, found, f"expected {pattern}, got {actual!r}")

    def raises(self, what, kind, code, call, /, *args, **named):
        """`call` fails with an exception of `kind` that carries the OAuth error `code`."""
        try:
            answer = call(*args, **named)
        except kind as raised:
            self.equal(what, getattr(raised, "error", None), code)
            return raised
        self._line(what, False, f"expected {kind.__name__} ({code}), got {answer!r}")
        return None

    def done(self):
        print(f"{self.name}: {self.passed} checks passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)

    def _line(self, what, good, detail):
        if good:
            self.passed += 1
            print(f"ok      {what}")
        else:
            self.failed += 1
            print(f"FAILED  {what}: {detail}")
