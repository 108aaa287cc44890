"""The contract of the waist, run over ``direct`` in a page, ``bridge`` in a worker, ``fake`` in CPython."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.inpage import (
    contract_audio,
    contract_files,
    contract_media,
    contract_peers,
    contract_senders,
    contract_sockets,
    contract_sources,
    contract_tabs,
    contract_views,
)
from tests.inpage.contract_kit import Env

Case = Callable[[Env], Coroutine[Any, Any, None]]

CASES: dict[str, Case] = {
    case.__name__: case
    for module in (
        contract_sockets,
        contract_peers,
        contract_media,
        contract_senders,
        contract_audio,
        contract_tabs,
        contract_files,
        contract_sources,
        contract_views,
    )
    for case in module.CASES
}


NATIVE_CASES = (
    "one_browser",
    "audio_element_recycled",
    "element_state",
    "element_blocked",
    "late_device_let_go",
    "asked_at_once",
    "no_devices",
    "last_words_at_once",
    "inactive_encodings",
    "remote_candidate_null",
    "processor_of_javascript",
    "processor_of_python",
    "processor_that_fails",
)
"""Those of ``contract_native``, which can only be imported in a page."""


async def run_case(*, case: str, browser_name: str, server: str) -> None:
    """Run one case over ``direct``, in this page.

    Args:
        case: its name in ``CASES`` or ``NATIVE_CASES``.
        browser_name: what ``BrowserInfo.name`` has to be.
        server: host and port of ``tests.contract.echo``.
    """
    from tests.inpage.contract_native import CASES as NATIVE
    from tests.inpage.contract_page import PageEnv

    assert tuple(native.__name__ for native in NATIVE) == NATIVE_CASES
    env = PageEnv(browser_name, server)
    try:
        await {**CASES, **{native.__name__: native for native in NATIVE}}[case](env)
    finally:
        env.close()


async def reach_page(*, carrier: str, host: str) -> None:
    """Reach the page from this worker, once for all cases over this carrier."""
    from tests.inpage import contract_worker

    await contract_worker.reach_page(carrier, host)


async def run_case_over_bridge(*, case: str, carrier: str, host: str, browser_name: str, server: str) -> None:
    """Run one case over ``bridge``, in this worker.

    Args:
        case: its name in ``CASES``.
        carrier: ``port`` or ``broadcast``.
        host: name of the harness's host.
        browser_name: what ``BrowserInfo.name`` has to be.
        server: host and port of ``tests.contract.echo``.
    """
    from tests.inpage.contract_worker import WorkerEnv, reach_page

    browser = await reach_page(carrier, host)
    env = WorkerEnv(browser, host, browser_name, server)
    before = await browser.count_objects()
    try:
        await CASES[case](env)
    finally:
        await env.close()
    async with asyncio.timeout(10):  # what came when nobody waited any more is freed as it comes
        while (left := await browser.count_objects() - before) != 0:
            print(f"the page still has {left} objects of it")
            await asyncio.sleep(0.05)
