"""The measured process: ``python -m benchmarks.contenders MODULE NAME run`` with the job as JSON on standard input.

It imports one contender, runs it once, and prints one JSON object.  Times begin after the imports.  With ``prepare`` in
place of ``run`` it prepares, and nothing of that is timed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.contenders import Job, load


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_kb() -> int:
    """Give the highest memory of this process or, if that is more, of one that it started.

    Not ``RUSAGE_SELF``: Linux hands that on from whatever process started this one.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own = int(status["VmHWM"].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main() -> None:
    """Run or prepare one contender, and print what running took."""
    module, name, step = sys.argv[1:]
    contender = next(each for each in load(module) if each.name == name)
    job = Job(**json.load(sys.stdin))
    if step == "prepare":
        contender.prepare(job)
        return
    cpu = _cpu_seconds()
    began = time.perf_counter()
    contender.run(job)
    inner = time.perf_counter() - began
    result = {"inner_s": inner, "cpu_s": _cpu_seconds() - cpu, "peak_kb": _peak_kb()}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
