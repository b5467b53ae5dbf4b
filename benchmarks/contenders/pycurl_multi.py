"""pycurl: libcurl's multi interface, easy handles used again; no hash, no part file, no sync, no judgement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import pycurl

from benchmarks.contenders import COOKIE, Contender, Job


def _handle(job: Job) -> pycurl.Curl:
    handle = pycurl.Curl()
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.CAINFO, str(job.credentials / "ca.pem"))
    handle.setopt(pycurl.SSLCERT, str(job.credentials / "client.pem"))
    handle.setopt(pycurl.SSLKEY, str(job.credentials / "client.key"))
    handle.setopt(pycurl.COOKIE, COOKIE)
    handle.setopt(pycurl.FAILONERROR, 1)
    handle.setopt(pycurl.NOPROXY, "*")
    return handle


class _Transfers:
    """The handles that are under way, each with its file."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._meters: Iterator[str] = job.workload.meters()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, job.workload.concurrency)
        self._files: dict[pycurl.Curl, BinaryIO] = {}

    def _begin(self, handle: pycurl.Curl) -> None:
        meter = next(self._meters, None)
        if meter is None:
            handle.close()
            return
        self._files[handle] = file = self._job.target(meter).open("wb")
        handle.setopt(pycurl.URL, self._job.url(meter))
        handle.setopt(pycurl.WRITEDATA, file)
        self._multi.add_handle(handle)

    def _end(self, handle: pycurl.Curl) -> None:
        self._multi.remove_handle(handle)
        self._files.pop(handle).close()

    def run(self) -> None:
        for _ in range(self._job.workload.concurrency):
            self._begin(_handle(self._job))
        while self._files:
            self._multi.perform()
            _, done, failed = self._multi.info_read()
            for _, code, message in failed:
                raise RuntimeError(f"libcurl's error {code}: {message}")
            for handle in done:
                self._end(handle)
                self._begin(handle)
            if not done and self._files:
                self._multi.select(1.0)

    def close(self) -> None:
        for handle in list(self._files):
            self._end(handle)
        self._multi.close()


def run(job: Job) -> None:
    """Fetch everything in one thread."""
    with contextlib.closing(_Transfers(job)) as transfers:
        transfers.run()


CONTENDERS = (Contender(name="pycurl", kind="binding", workloads="ABCD", run=run, distributions=("pycurl",)),)
