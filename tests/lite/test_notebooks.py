"""The notebooks of the demo run as they are shipped, all cells in one go; and a class of two browsers does the quiz."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from tests.harness.jupyterlite import BOOT_TIMEOUT, Cell, JupyterLite
from tests.harness.pages import Browser, js_call
from tests.harness.paths import LIVEKIT_SERVER
from tests.harness.servers import LiveKitServer
from tests.harness.tokens import API_SECRET
from tests.readme.pages import assert_moves, until
from tools.console import BUILD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CLASS_KEY = "class-key"
"""A key that is not the development key."""
ALL_AT_ONCE = 90.0
"""Seconds to install the package and run a notebook."""
PICTURE = ".jp-OutputArea figure:nth-of-type({}) video"
SCREENSHOTS = BUILD / "screenshots"
TOKEN = "eyJ"
"""How every token begins."""
PEOPLE = "print(room.local_participant.identity, *room.remote_participants)"
COMING = """
while "grace" not in teacher.remote_participants:
    await teacher.wait_for("participant_connected", timeout=10)
"""
LEAVING = """
while "grace" in teacher.remote_participants:
    await teacher.wait_for("participant_disconnected", timeout=10)
"""
_EDIT = """(old, fresh) => {
  const cells = [...jupyterapp.shell.currentWidget.content.model.sharedModel.cells];
  const found = cells.filter((cell) => cell.getSource().includes(old));
  for (const cell of found) cell.setSource(cell.getSource().replaceAll(old, fresh));
  return found.length;
}"""
_TYPE = """(text) => {
  const field = document.querySelector(".jp-Stdin-input");
  field.value = text;
  field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", keyCode: 13, bubbles: true}));
}"""
# Text is to be read where it is in view: JupyterLite lays out nothing else.
_LINKS = """[...document.querySelectorAll(".jp-OutputArea-output")].flatMap((output) => {
  if (output.textContent.includes("#ws")) output.scrollIntoView();
  return [...output.innerText.matchAll(/^(\\w+): (http\\S+#ws\\S+)$/gm)].map(([, name, link]) => [name, link]);
})"""
# All that the site has put into the browser's storage, saved notebooks among it.
_STORED = """(async () => {
  const asPromise = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const found = [Object.entries(localStorage), Object.entries(sessionStorage)];
  for (const {name} of await indexedDB.databases()) {
    const database = await asPromise(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      found.push(await asPromise(database.transaction(store).objectStore(store).getAll()));
    }
    database.close();
  }
  return JSON.stringify(found);
})()"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[LiveKitServer]:
    """A livekit-server that has a key which is not the development key."""
    if reason := LIVEKIT_SERVER.skipped():
        pytest.skip(reason)
    async with LiveKitServer(keys={CLASS_KEY: API_SECRET}) as running:
        yield running


async def _open(lite: JupyterLite, name: str, changes: Mapping[str, str]) -> None:
    """Open a notebook as it is shipped, and change its settings as a user does: each is in one cell."""
    await lite.open_notebook(name)
    await _change(lite, changes)


async def _change(lite: JupyterLite, changes: Mapping[str, str]) -> None:
    await lite.kernel_ready()
    for old, fresh in changes.items():
        assert await lite.page.evaluate(js_call(_EDIT, old, fresh)) == 1, old


async def _saved(lite: JupyterLite) -> str:
    """Save the notebook; all that is stored then."""
    await lite.save()
    stored = str(await lite.page.evaluate(_STORED))
    await lite.forget_saved()
    assert json.dumps((await lite.cells())[0].source)[1:-1] in stored, "the notebook has been saved"
    return stored


async def _show(lite: JupyterLite, selector: str, name: str) -> None:
    """Take a picture of the page for people to look at."""
    await lite.page.evaluate(js_call("(selector) => document.querySelector(selector).scrollIntoView()", selector))
    await assert_moves(lite.page, selector)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await lite.screenshot(SCREENSHOTS / f"{name}_{lite.browser_name}.png")


async def _join_alone(lite: JupyterLite) -> str:
    """Run the first notebook as it is; who one is then."""
    await _open(lite, "first_room.ipynb", {})
    cells = await lite.run_all(ALL_AT_ONCE)
    (joined,) = [cell.text for cell in cells if cell.text.startswith("You are ")]
    me = joined.split()[2]
    assert re.fullmatch(r"guest-[0-9a-f]{4}", me)
    await assert_moves(lite.page, PICTURE.format(1))
    return me


async def test_the_first_room(lite: JupyterLite, request: pytest.FixtureRequest) -> None:
    """Two tabs of one browser meet, with no server."""
    me = await _join_alone(lite)
    stored = await _saved(lite)
    assert me in stored and TOKEN not in stored
    browser: Browser = request.getfixturevalue(lite.browser_name)
    second = await JupyterLite.open(browser, lite.site, "first_room.ipynb")
    other = await _join_alone(second)
    for tab in (lite, second):
        await assert_moves(tab.page, PICTURE.format(2))
    assert other in (await second.run(PEOPLE)).text and me in (await second.run(PEOPLE)).text
    await second.run('await room.local_participant.publish_data("<b>hello</b> notebook", topic="chat")')
    await until(lite.page, f"document.body.textContent.includes('{other}: <b>hello</b> notebook')")
    await _show(lite, PICTURE.format(2), "first_room")
    await lite.run("await room.disconnect()")  # the room has lived in this tab, and lives on
    await second.run(f"while {me!r} in room.remote_participants:\n    await room.wait_for('participant_disconnected')")
    await second.close()
    await lite.forget_saved()  # both tabs save by themselves, now and then


async def test_the_quiz_alone(lite: JupyterLite) -> None:
    """Teacher and pupil are two rooms of one kernel, with no server."""
    await _open(lite, "quiz.ipynb", {})
    cells = await lite.run_all(ALL_AT_ONCE)
    (table,) = cells[-2].data("text/html")
    assert "<tr><td>ada</td><td>Paris</td><td>42</td><td>I do not know</td><td>2 of 3</td></tr>" in table
    assert TOKEN not in await _saved(lite)


async def _type_secret(lite: JupyterLite, prompt: str, secret: str) -> None:
    """Answer a cell that asks."""
    await until(lite.page, f"document.querySelector('.jp-Stdin-prompt')?.innerText.startsWith({prompt!r})")
    await lite.page.evaluate(js_call(_TYPE, secret))


async def _run_answering(lite: JupyterLite, answers: Mapping[str, str]) -> list[Cell]:
    """Run all cells, and answer what they ask."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(lite.run_all(ALL_AT_ONCE))
        for prompt, secret in answers.items():
            await _type_secret(lite, prompt, secret)
    return running.result()


@pytest.fixture(params=["chromium", "firefox"])
def classroom(request: pytest.FixtureRequest) -> tuple[JupyterLite, JupyterLite]:
    """The teacher's browser, each in turn, and the pupil's, which is the other one."""
    pupils = {"chromium": "firefox", "firefox": "chromium"}[request.param]
    return request.getfixturevalue(f"{request.param}_lite"), request.getfixturevalue(f"{pupils}_lite")


@pytest.mark.server
async def test_a_class(classroom: tuple[JupyterLite, JupyterLite], server: LiveKitServer) -> None:
    teacher, pupil = classroom
    settings = {'server = "local://"': f'server = "{server.url}"', '"ada", "grace"': '"grace", "hedy"'}
    await _open(teacher, "quiz.ipynb", {**settings, 'role = "alone"': 'role = "teacher"'})
    cells = await _run_answering(teacher, {"Key": CLASS_KEY, "Secret": API_SECRET})
    assert [cell for cell in cells if cell.source.startswith("if role !=")][-1].text == "Here:\n"
    await until(teacher.page, f"{_LINKS}.length === 2")
    links = dict(await teacher.page.evaluate(_LINKS))
    assert links.keys() == {"grace", "hedy"}

    await pupil.page.goto("about:blank")  # only the part after the # may differ from where it is: that loads nothing
    await pupil.page.goto(links["grace"])
    await pupil.within(BOOT_TIMEOUT, "opening the link", js_call("lkLite.opened", "quiz.ipynb"))
    pupil.notebook = "quiz.ipynb"
    await _change(
        pupil, {'role = "alone"': 'role = "pupil"', '"42"}': '"42", "Who wrote the first program?": "<i>Me"}'}
    )
    cells = await _run_answering(pupil, {"Your link": links["grace"]})
    assert [cell for cell in cells if cell.text.endswith("You are grace\n")]

    await teacher.run(COMING)
    for source in ('if role != "pupil"', "questions = ", "from html import"):
        (cell,) = [cell for cell in cells if cell.source.startswith(source)]
        result = await teacher.run(cell.source)
    (table,) = result.data("text/html")
    answers = ("grace", "Paris", "42", "&lt;i&gt;Me", "2 of 3")
    assert f"<tr>{''.join(f'<td>{answer}</td>' for answer in answers)}</tr>" in table
    for lite in (teacher, pupil):
        stored = await _saved(lite)
        assert TOKEN not in stored and API_SECRET not in stored and CLASS_KEY not in stored
    await pupil.run("await pupil.disconnect()")
    await teacher.run(LEAVING)
