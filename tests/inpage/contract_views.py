"""Cases of the contract: how much of elements is to be seen."""

from __future__ import annotations

from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.api_views import View, Views
from tests.inpage.contract_kit import Closer, ElementLog, Env, ViewLog, recorded_log


async def _mine(env: Env, closer: Closer) -> tuple[MediaElement, Views, ViewLog]:
    """A video of the page, 160 pixels wide, that is watched."""
    await env.add_node("video", "mine")
    await env.show_node("mine", 160, 90, "in sight")
    element, log = env.browser.new_element("video", "#mine", ElementLog()), ViewLog()
    views = env.browser.watch_views(log)
    closer.add(element, views)
    views.add(element)
    views.add(element)
    await log.shows(element, View(160, 90, True))
    return element, views, log


async def view_changes(env: Env) -> None:
    """An element is told once, and whenever it is to be seen otherwise; before that, the page it is on."""
    with Closer() as closer:
        element, _, log = await _mine(env, closer)
        (is_hidden, pixel_ratio), *others = log.get("screen")
        assert (is_hidden, others) == (False, [])
        assert isinstance(pixel_ratio, float | int)
        assert pixel_ratio > 0
        assert [call[0] for call in log.calls] == ["screen", "view"]
        await env.show_node("mine", 640, 360, "in sight")
        await log.shows(element, View(640, 360, True))
        await env.show_node("mine", 640, 360, "away")
        await log.shows(element, View(640, 360, False))
        await env.show_node("mine", 640, 360, "nowhere")
        await log.shows(element, View(0, 0, False))
        await env.show_node("mine", 160, 90, "in sight")
        await log.shows(element, View(160, 90, True))


async def view_of_what_comes_later(env: Env) -> None:
    """An element that is on no page is not to be seen, until it is put there."""
    with Closer() as closer:
        await env.add_node("div", "stage")
        await env.show_node("stage", 320, 180, "in sight")
        element, log = env.browser.new_element("video", None, ElementLog()), ViewLog()
        views = env.browser.watch_views(log)
        closer.add(element, views)
        views.add(element)
        await log.shows(element, View(0, 0, False))
        element.mount("#stage")
        await log.until(lambda: (seen := log.last(element)) is not None and seen.is_visible, "sight")
        views.remove(element)
        element.close()


async def view_in_a_window_of_its_own(env: Env) -> None:
    """Picture-in-picture is seen wherever the element is."""
    with Closer() as closer:
        element, _, log = await _mine(env, closer)
        await env.show_node("mine", 160, 90, "away")
        await log.shows(element, View(160, 90, False))
        await env.pin_node("mine", True)
        await log.shows(element, View(160, 90, True, True))
        await env.pin_node("mine", False)
        await log.shows(element, View(160, 90, False))


async def view_in_the_background(env: Env) -> None:
    """The page tells when it is not to be seen, once for all elements."""
    with Closer() as closer:
        _, _, log = await _mine(env, closer)
        ratio = log.get("screen")[0][1]
        await env.hide_page(True)
        await log.wait("screen", 2)
        await env.hide_page(False)
        await log.wait("screen", 3)
        assert log.get("screen") == [(False, ratio), (True, ratio), (False, ratio)]
        assert len(log.get("view")) == 1


async def view_of_an_element_twice(env: Env) -> None:
    """Two who use one element of the page are told each, and one may go."""
    with Closer() as closer:
        element, views, log = await _mine(env, closer)
        other = env.browser.new_element("video", "#mine", ElementLog())
        closer.add(other)
        views.add(other)
        await log.shows(other, View(160, 90, True))
        views.remove(element)
        views.remove(element)
        await env.show_node("mine", 320, 180, "in sight")
        await log.shows(other, View(320, 180, True))
        assert log.last(element) == View(160, 90, True)


async def views_closed(env: Env) -> None:
    """After ``close()``, be it from inside a handler, nothing is heard; and a handler may raise."""

    def fail(name: str) -> None:
        views.close()
        raise ValueError(name)

    with Closer() as closer, recorded_log() as lines:
        element, views, log = await _mine(env, closer)
        log.on_call = fail
        await env.show_node("mine", 640, 360, "in sight")
        await log.until(lambda: len(log.calls) == 3, "call")
        log.on_call = None
        views.close()
        views.add(element)
        views.remove(element)
        witness = ViewLog()
        others = env.browser.watch_views(witness)
        closer.add(others)
        others.add(element)
        await witness.shows(element, View(640, 360, True))
        await env.show_node("mine", 160, 90, "in sight")
        await env.hide_page(True)
        await witness.shows(element, View(160, 90, True))
        await witness.wait("screen", 2)
        assert len(log.calls) == 3, "the others heard it"
        assert "ValueError: view" in lines[0]


CASES = (
    view_changes,
    view_of_what_comes_later,
    view_in_a_window_of_its_own,
    view_in_the_background,
    view_of_an_element_twice,
    views_closed,
)
