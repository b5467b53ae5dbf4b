"""Answers to an upload that the test server does not have by itself."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aiomar.testing import Fault
from aiomar.testing._site import Kind, Reply, Site, SiteRequest
from aiomar.testing._wire import Delivery, whole


@attrs.frozen
class Taking(Fault):
    """Takes an upload, says so to the test, and then answers, perhaps late and perhaps with something else.

    Args:
        tell: called when the site has decided.
        seconds: silence before the status line.
        instead: makes another answer of the good one.
    """

    on: Kind = attrs.field(default="upload", kw_only=True)
    tell: Callable[[], object] = attrs.field(default=lambda: None, kw_only=True, repr=False)
    seconds: float = attrs.field(default=0.0, kw_only=True)
    instead: Callable[[Reply], Reply] = attrs.field(default=lambda reply: reply, kw_only=True, repr=False)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        """Ask the site, then tell."""
        answer = site.answer(request)
        self.tell()
        return attrs.evolve(whole(self.instead(answer)), wait=self.seconds)
