"""The process that a page lives in: browsers do not tell which it is, but it grows when its page does."""

import os
from pathlib import Path

from tests.harness.pages import Page, js_call

_GROWTH = 96 << 20
_GROW = "(size) => void (globalThis.lkGrowth = new Uint8Array(size).fill(1))"
_SHRINK = "void delete globalThis.lkGrowth"
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


async def process_of(page: Page) -> int:
    """The id of a page's process, to stop or to kill, and with it whatever else lives there."""
    before = {pid: _resident(pid) for pid in _descendants(os.getpid())}
    await page.evaluate(js_call(_GROW, _GROWTH))
    growth = {pid: _resident(pid) - size for pid, size in before.items()}
    await page.evaluate(_SHRINK)
    [found] = [pid for pid, more in growth.items() if more > _GROWTH / 2]
    return found


def _descendants(pid: int) -> list[int]:
    """Processes that this one has started, or that these have."""
    children = dict[int, list[int]]()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            fields = _read(folder / "stat").rpartition(")")[2].split()  # its name, which comes first, may hold anything
            if fields:
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found[1:]


def _resident(pid: int) -> int:
    """Bytes of memory."""
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * _PAGE_SIZE if fields else 0


def _read(file: Path) -> str:
    """Of a process that may be gone."""
    try:
        return file.read_text()
    except OSError:
        return ""
