"""aria2c, the download program: one connection a file, as many files at once as there are connections; no hash."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.contenders import COOKIE, Contender, Job, Program


def run(job: Job) -> None:
    """Let one aria2c process fetch everything."""
    files = (f"{job.url(meter)}\n  out={job.target(meter).name}\n" for meter in job.workload.meters())
    command = [shutil.which("aria2c") or "aria2c", "--no-conf", "--quiet", "--input-file=-", f"--dir={job.output}"]
    command += [f"--max-concurrent-downloads={job.workload.concurrency}", "--split=1", "--file-allocation=none"]
    command += [f"--header=Cookie: {COOKIE}", "--no-proxy=127.0.0.1", "--async-dns=false"]
    command += [f"--ca-certificate={job.credentials / 'ca.pem'}", "--check-certificate=true"]
    command += [f"--certificate={job.credentials / 'client.pem'}", f"--private-key={job.credentials / 'client.key'}"]
    subprocess.run(command, input="".join(files), text=True, check=True, stdout=subprocess.DEVNULL)


CONTENDERS = (Contender(name="aria2c", kind="program", workloads="ABCD", run=run, program=Program("aria2c", "aria2")),)
