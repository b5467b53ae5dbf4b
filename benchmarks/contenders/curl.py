"""``curl --parallel``: what a careful script would use, and the measure for the others."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.contenders import COOKIE, Contender, Job, Program


def run(job: Job) -> None:
    """Let one curl process fetch everything."""
    pairs = (f'url = "{job.url(meter)}"\noutput = "{job.target(meter)}"\n' for meter in job.workload.meters())
    curl = shutil.which("curl") or "curl"
    command = [curl, "--config", "-", "--parallel", "--parallel-max", str(job.workload.concurrency)]
    command += ["--http1.1", "--silent", "--show-error", "--fail", "--cookie", COOKIE, "--noproxy", "*"]
    command += ["--cacert", str(job.credentials / "ca.pem")]
    command += ["--cert", str(job.credentials / "client.pem"), "--key", str(job.credentials / "client.key")]
    subprocess.run(command, input="".join(pairs), text=True, check=True)


CONTENDERS = (Contender(name="curl", kind="program", workloads="ABCD", run=run, program=Program("curl", "curl")),)
