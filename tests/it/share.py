#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the link: it is shared with a QR code, watched, and replaced by a new one.

    share.py AERIAL SHOTS FILES     runs in the desktop of its environment
"""
import os
import re
import sys
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from story import Story  # noqa: E402  (the path comes first)

AERIAL, SHOTS, FILES = sys.argv[1:4]
LINK = re.compile(r"http://[\d.]+:\d+/\?t=\w{40}$")


def link(ui):
    for _, node in ui.nodes():
        found = LINK.match(ui.label(node) or "")
        if found:
            return found[0]
    return None


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


profile = os.path.join(FILES, "shared.toml")
with open(profile, "w") as out:
    out.write('video = ["test"]\nlisten = "0.0.0.0:0"\n')

# From the beginning it is for this computer only; a switch lets the network in.
with Story(AERIAL, SHOTS) as story:
    ui = story.ui
    ui.toggle(ui.find("button", "Show outputs and viewers"), on=True)
    ui.click(ui.find("button", re.compile("^Go live")))
    story.until(lambda: story.status()["air"], "live")
    switch = ui.find("switch", "Share on this network")
    assert not ui.checked(switch) and link(ui) is None
    ui.pointer_click(switch)
    there = ui.wait(lambda: link(ui), "a link with a token")
    ui.wait(lambda: ui.checked(switch), "the switch to be on")
    if "127.0.0.1" not in there:
        assert answer(there.replace("/?", "/live.webm?")) == 200
    story.said("Opens in this network")
    story.shot("shared")
    ui.pointer_click(switch)
    ui.wait(lambda: link(ui) is None, "the link to be of this computer")
    story.said("Opens on this computer only")
    ui.click(ui.find("button", re.compile("^End$")))
    story.until(lambda: story.status()["air"], "off")

with Story(AERIAL, SHOTS, [profile]) as story:
    ui = story.ui
    old = ui.wait(lambda: link(ui), "a link with a token")
    if "127.0.0.1" in old:
        sys.exit(0)
    ui.click(ui.find("button", re.compile("^Go live")))
    story.until(lambda: story.status()["air"], "live")
    watch = old.replace("/?", "/live.webm?")
    assert answer(watch) == 200
    assert answer(old.split("?")[0]) == 401
    # They are there from the beginning where there is room.
    ui.toggle(ui.find("button", "Show outputs and viewers"), on=True)
    story.still(ui.find(None, "Share the link"))
    ui.click(ui.find(None, "Share the link"))
    ui.find(None, "QR code of the link")
    story.still(ui.find("button", "New link"))
    story.shot("share")
    ui.click(ui.find("button", "New link"))
    story.passing("The old link is not valid any more")
    new = ui.wait(lambda: (link(ui) or old) != old and link(ui), "another link")
    assert answer(watch) == 401
    assert answer(new.replace("/?", "/live.webm?")) == 200
    ui.keys("Escape")
    ui.click(ui.find("button", re.compile("^End$")))
    story.until(lambda: story.status()["air"], "off")
