#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the window: go live, be watched, let the viewer go, end.

    window.py AERIAL SHOTS     runs in the desktop of its environment; screenshots go to the folder SHOTS
"""
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BED = os.path.join(os.path.dirname(HERE), "bed")
sys.path.insert(0, BED)
sys.dont_write_bytecode = True
from ui import UI  # noqa: E402  (the path comes first)

AERIAL, SHOTS = sys.argv[1:3]
LINK = re.compile(r"https?://[\w.\[\]:-]+/?")


def shot(name):
    """A screenshot of the whole screen."""
    path = os.path.join(SHOTS, name + ".png")
    tool = ["grim", path] if os.environ.get("SWAYSOCK") else ["import", "-window", "root", path]
    subprocess.run(tool, check=True)


def link(ui):
    """The address that the window shows."""
    for _, node in ui.nodes():
        found = LINK.match(ui.label(node) or "")
        if found:
            return found[0].rstrip("/")
    return None


def viewers(ui):
    """The texts of the viewers list, row by row."""
    for role in ("list", "table", "tree table", "list box"):
        for found in ui.find_all(role):
            if re.search(r"viewers", found.get_name() or "", re.I):
                return [r for r in ui.rows(found) if any(r)]
    return []


def browser_row(ui):
    return next((r for r in viewers(ui) if any("Chrom" in text or "127.0.0.1" in text for text in r)), None)


def served(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def story(app, browsers):
    ui = UI(app.pid, timeout=60)
    go = ui.find("button", re.compile(r"^Go live"))
    ui.wait(lambda: "sensitive" in ui.states(go), "Go live to be sensitive")
    shot("ready")
    ui.click(go)
    address = ui.wait(lambda: link(ui), "the link to be shown")
    ui.wait(lambda: served(address + "/"), f"{address}/ to be served")

    # The list is on a page of its own; its tab carries the number of viewers.
    ui.click(ui.find(None, re.compile(r"^Viewers")))
    browser = subprocess.Popen(
        [os.path.join(BED, "browser-view"), "--until-eof", "--timeout", "60", address + "/live.webm"],
        # What the browser leaves behind is not the program's.
        env={k: v for k, v in os.environ.items() if k not in ("TMPDIR", "AERIAL_TEST_RUN")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    browsers.append(browser)
    first = json.loads(browser.stdout.readline())
    assert first.get("event") == "first_frame", first
    row = ui.wait(lambda: browser_row(ui), "the browser in the viewers list")
    print("viewer:", row)
    shot("live")

    kick = ui.find("button", re.compile(r"^Kick "))
    ui.click(kick)
    ui.wait(lambda: browser_row(ui) is None, "the viewer to leave the list")
    shot("alone")
    browser.stdin.close()
    saw = json.loads(browser.stdout.read())
    assert saw["frames"] > 0 and saw["width"] > 0, saw
    browser.wait()

    stop = ui.find("button", re.compile(r"^End$"))
    ui.click(stop)
    ui.wait(lambda: not served(address + "/live.webm"), "the stream to end")
    ui.find("button", re.compile(r"^Go live"))
    shot("ended")
    ui.keys("ctrl+q")


def main():
    app = subprocess.Popen([AERIAL])
    browsers = []
    try:
        story(app, browsers)
        code = app.wait(20)
        assert code == 0, f"it ended with {code}"
    except BaseException:
        try:
            shot("failed")
            print(UI(app.pid, timeout=2).tree(), file=sys.stderr)
        except Exception as e:   # the first failure is the one to show
            print(f"(no picture of it: {e})", file=sys.stderr)
        raise
    finally:
        for process in [*browsers, app]:
            if process.poll() is None:
                process.kill()
                process.wait()


main()
