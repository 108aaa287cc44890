"""The JupyterLite site runs offline, below a path, in both browsers; and the harness that drives it tells the truth."""

import json
from pathlib import Path

import pytest

from lk_pyodide import __version__
from tests.harness.jupyterlite import CellFailed, JupyterLite
from tools.lite import NOTEBOOKS

pytestmark = pytest.mark.timeout(240)  # a kernel starts in 10 s on a quiet machine

ASK_OUTSIDE = """
from pyodide.http import pyfetch
await pyfetch("https://outside.invalid/package.whl")
"""


async def test_a_notebook_installs_the_package_from_the_site(lite: JupyterLite) -> None:
    await lite.reload()
    await lite.kernel_ready()
    await lite.put_cells("%pip install lk_pyodide", "import lk_pyodide\n\nprint(lk_pyodide.__version__)")
    cells = await lite.run_all()
    assert cells[-1].text == f"{__version__}\n"
    assert lite.site.outside == []


async def test_a_request_to_another_machine_is_seen(lite: JupyterLite) -> None:
    with pytest.raises(CellFailed):
        await lite.run(ASK_OUTSIDE)
    asked = [line for line in lite.site.outside if line.startswith("https://outside.invalid/package.whl asked for by ")]
    lite.site.outside.clear()
    assert asked and "worker" in asked[0]


async def test_a_package_that_the_site_has_not_is_not_looked_for_elsewhere(lite: JupyterLite) -> None:
    with pytest.raises(CellFailed, match="PyPI fallback is disabled"):
        await lite.run("%pip install not-on-this-site")
    assert lite.site.outside == []


async def test_an_error_in_a_cell_is_reported(lite: JupyterLite) -> None:
    await lite.put_cells("print('before')", "def fail():\n    raise ValueError('on purpose')\nfail()", "print('after')")
    with pytest.raises(CellFailed, match=r"cell 1 raised:(.|\n)*in fail(.|\n)*ValueError: on purpose"):
        await lite.run_all()
    before, _, after = await lite.cells()
    assert before.text == "before\n"
    assert after.count is None and after.text == ""


async def test_a_cell_that_does_not_end_is_told_with_what_it_did(lite: JupyterLite) -> None:
    await lite.kernel_ready()
    await lite.put_cells()
    cell = await lite.start("import asyncio\nprint('so far')\nend = asyncio.Event()\nawait end.wait()")
    with pytest.raises(TimeoutError, match=r"kernel: busy(.|\n)*\[\*\] .import asyncio(.|\n)*so far"):
        await cell.result(timeout=1)
    await lite.restart_kernel()
    assert (await lite.run("'end' in globals()")).text == "False"


async def test_outputs_of_every_kind_can_be_read(lite: JupyterLite) -> None:
    cell = await lite.run("from IPython.display import HTML, display\nprint(1)\ndisplay(HTML('<b>2</b>'))\n3")
    assert cell.text.startswith("1\n") and cell.text.endswith("3")
    assert cell.data("text/html") == ["<b>2</b>"]
    assert not cell.running and cell.error is None


async def test_a_kernel_that_was_shut_down_is_gone_and_starts_again(lite: JupyterLite) -> None:
    await lite.run("left = 1")
    await lite.shut_down_kernel()
    assert await lite.kernel_status() == "no kernel"
    await lite.start_kernel()
    assert (await lite.run("'left' in globals()")).text == "False"


async def test_a_saved_notebook_shows_its_outputs_again(lite: JupyterLite, tmp_path: Path) -> None:
    await lite.put_cells("'not run'")
    await lite.run("import sys\nsys.platform")
    try:
        await lite.save()
        await lite.reload()
        assert [cell.text for cell in await lite.cells()] == ["", "'emscripten'"]
    finally:
        await lite.forget_saved()
    await lite.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 1000
    await lite.reload()
    shipped = json.loads((NOTEBOOKS / lite.notebook).read_text())["cells"]
    assert [cell.source for cell in await lite.cells()] == ["".join(cell["source"]) for cell in shipped]
    assert (await lite.cells())[0].kind == "markdown"
