# SPDX-License-Identifier: 0BSD
"""The page in a real browser: it looks as the tutorial's, shows names as text and keeps the consoles quiet.

Needs Chromium, or Chrome, and its chromedriver, which takes commands in JSON (W3C WebDriver).
"""
import json
import os
import re
import shutil
import subprocess
from urllib.request import Request

import pytest
from conftest import OPENER, common, needs_php, run_all, wait_until

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome"))),
    reason="needs chromium and chromedriver")

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LOOK = """
    const look = {text: document.body.innerText};
    for (const name of ["body", ".box", "h1", "h2", "input", "button", "pre"]) {
        const found = document.querySelector(name), style = found && getComputedStyle(found);
        look[name] = found && [style.fontFamily, style.color, style.backgroundColor, style.borderRadius,
            style.padding, found.getBoundingClientRect().width, found.type, found.name, found.placeholder];
    }
    return look;"""
FITS = """
    const pre = document.querySelector("pre"), box = document.querySelector(".box") || document.body;
    return [innerWidth, document.documentElement.scrollWidth <= innerWidth, pre.scrollWidth <= pre.clientWidth,
            pre.getBoundingClientRect().right <= box.getBoundingClientRect().right];"""
ELEMENTS = "return Array.from(document.querySelectorAll('*'), element => element.tagName)"
FACTS = "return [document.compatMode, document.characterSet, document.title, document.documentElement.lang]"
NAMES = [
    "<img src=x onerror=document.body.remove()>", "</pre><script>alert(1)</script>", "</pre></div><h2>Input</h2><!--",
    "{{7*7}} ${7*7} %s %(nama)s %d%% {0}", "$response $$ \\1 \\g<0> \"quotes\" 'and' \\", "&amp; &lt; &#60; &copy & <",
    "\u674e\u5c0f\u9f8d \U0001f600",
]


class Browser:
    """A headless browser, by chromedriver's port. An alert on the page fails the next call."""

    def __init__(self, port, folder):
        self.session = f"http://127.0.0.1:{port}/session"
        options = {"args": OPTIONS + [f"--user-data-dir={folder / 'profile'}"]}
        new = self.call("", capabilities={"alwaysMatch": {"goog:chromeOptions": options}})
        self.session += "/" + new["sessionId"]

    def call(self, command, method="POST", **data):
        """What chromedriver answers to a command; an AssertionError with its message if it is an error."""
        body = json.dumps(data).encode() if method == "POST" else None
        with OPENER.open(Request(self.session + command, body, method=method)) as reply:
            value = json.loads(reply.read().decode())["value"]
        assert reply.code == 200, value["message"]
        return value

    def run(self, script):
        """What the JavaScript returns."""
        return self.call("/execute/sync", script=script, args=[])

    def screen(self, width):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width <= 400}
        self.call("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)

    def open(self, url):
        self.screen(1280)
        self.call("/url", url=url)

    def find(self, name):
        """The command for an element, to add to."""
        return "/element/" + list(self.call("/element", using="css selector", value=name).values())[0]

    def send(self, name):
        """Type the name, paste what is long of it, click Kirim. Returns the text in <pre> of the new page."""
        typed = re.match("[\u0000-\uffff]{0,100}", name).group(0)  # chromedriver has no keys for letters beyond
        self.run("window.before = true")
        self.call(self.find("input") + "/value", text=typed)
        self.call("/goog/cdp/execute", cmd="Input.insertText", params={"text": name[len(typed):]})
        self.call(self.find("button") + "/click")
        assert wait_until(lambda: self.run("return !window.before && document.readyState == 'complete'"))
        return self.run("return document.querySelector('pre').textContent")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    port = common.free_ports(1)[0]
    with open(folder / "chromedriver.out", "wb") as output:
        driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdin=subprocess.PIPE, stdout=output,
                                  stderr=subprocess.STDOUT, env=dict(os.environ, HOME=str(folder)))
    try:
        assert common.is_up(driver, port), (folder / "chromedriver.out").read_text()
        browser = Browser(port, folder)
        yield browser
        browser.call("", "DELETE")
    finally:
        driver.terminate()
        common.stop(driver)


@needs_php
@pytest.mark.parametrize("level", run_all.SERVERS)
def test_the_page_looks_as_the_tutorial_s_before_and_after_a_name(browser, kit, level):
    def look(url):
        browser.open(url)
        before = browser.run(LOOK)
        if level > 1:
            browser.send("Budi \u674e\u5c0f\u9f8d")
        return before, browser.run(LOOK)

    kit.start(level=level)
    ours = look(kit.url(1))
    kit.stop()
    for number in run_all.SERVERS[level]:
        kit.start_php(number, level)
    assert look(kit.url(1)) == ours


@pytest.mark.parametrize("level", run_all.SERVERS)
def test_a_page_is_in_standards_mode_named_and_of_the_tutorial_s_colours_and_an_error_stands_out(browser, kit, level):
    kit.start(level=level)
    browser.open(kit.url(1))
    for turn in ("success", "error"):
        assert browser.run(FACTS) == ["CSS1Compat", "UTF-8", "Server 1", "id"]
        look = browser.run(LOOK)
        if level > 1:
            browser.run("document.querySelector('input').placeholder = ''")  # it vanishes as one types
            found = [browser.call(browser.find(name) + part, "GET")
                     for name in ("input", "button") for part in ("/computedrole", "/computedlabel")]
            assert found == ["textbox", "Nama", "button", "Kirim"]
            browser.send("Budi")
        if level > 2:
            assert look["body"][:3] == ["Arial", "rgb(0, 0, 0)", "rgb(244, 247, 251)"]
            assert look[".box"][2:6] == ["rgb(255, 255, 255)", "10px", "20px", 440]  # 400, and 20 on each side
            assert look["button"][1:3] == ["rgb(255, 255, 255)", "rgb(0, 0, 255)"]
            box = browser.run("return document.querySelector('.box').getBoundingClientRect()")
            assert (box["left"], box["top"]) == ((1280 - 440) / 2, 50)
        colours = {"success": ["rgb(0, 0, 0)", "rgba(0, 0, 0, 0)"], "error": ["rgb(255, 255, 255)", "rgb(176, 0, 32)"]}
        assert browser.run(LOOK)["pre"][1:3] == colours[turn]
        kit.stop(2)
        browser.open(kit.url(1))


def test_a_name_is_shown_as_the_text_it_is(browser, chain):
    browser.open(chain.url(1))
    browser.send("Budi")
    elements = browser.run(ELEMENTS)
    assert "PRE" in elements and not {"IMG", "SCRIPT"} & set(elements)
    for name in NAMES:
        assert json.loads(browser.send(name)) == {"status": "success", "data": {"nama": name}}
        assert browser.run(ELEMENTS) == elements, name


@pytest.mark.parametrize("level", [2, 4])
def test_a_long_answer_stays_inside_the_box(browser, kit, level):
    kit.start(level=level)
    browser.open(kit.url(1))
    for name, part in [("x" * 3000, "x" * 3000), ("Budi", "tidak dapat dihubungi")]:
        assert part in browser.send(name)
        for width in (1280, 320):
            browser.screen(width)
            assert browser.run(FITS) == [width, True, True, True], part[:30]
        kit.stop(2)  # so that an error comes back


def test_the_browser_asks_for_the_page_and_nothing_else(browser, chain):
    browser.open(chain.url(1))
    browser.open(chain.url(2))  # JSON names no icon, so here the browser does ask for one
    assert wait_until(lambda: "menjawab: 404" in chain.output(2))
    assert re.findall("Server 1 menjawab: (.*)", chain.output(1)) == ["200"]
