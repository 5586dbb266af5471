#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the window among others: statistics, preferences, notifications, staying awake, going on unseen.

    desktop.py AERIAL SHOTS FILES     runs in the desktop of its environment

The desktop of tests has nobody who shows notifications or who sends a computer to sleep: stand-ins note what they are
asked for.
"""
import os
import re
import subprocess
import sys
import urllib.request

from desk import Desk
from story import TOKEN, Story, kept  # noqa: E402

AERIAL, SHOTS, FILES = sys.argv[1:4]

def statistics(story):
    ui = story.ui
    ui.keys("ctrl+i")
    window = ui.find("dialog", "Statistics")
    graph = ui.find("image", re.compile(r"^Sent: \d"), window)
    ui.find("image", re.compile("^Processor: "), window)
    ui.find("label", re.compile("(?s)^Aerial .*Encoders\n  vp8 .*Viewers\n  1 now"), window)
    assert "Picture" not in ui.label(graph)
    story.shot("statistics")
    ui.click(ui.find("button", "Copy as text", window))
    ui.find(None, "Statistics copied", window)
    # Of one viewer.
    ui.keys("Escape")
    ui.wait(lambda: not ui.find_all("dialog", "Statistics"), "the statistics to close")
    ui.click(ui.find("page tab", re.compile("^Viewers")))
    ui.click(ui.find(None, re.compile("^More about Python")))
    ui.click(ui.find("menu item", "Statistics"))
    window = ui.find("dialog", "Statistics")
    ui.find("image", re.compile("^Waiting to be sent: "), window)
    ui.wait(lambda: not ui.find_all("image", re.compile("^Processor: "), window), "the graphs of all to go")
    ui.keys("Escape")
    ui.wait(lambda: not ui.find_all("dialog", "Statistics"), "the statistics to close")


desk = Desk()
with Story(AERIAL, SHOTS) as story:
    ui = story.ui
    assert not desk.inhibited
    ui.click(ui.find("button", "Go live"))
    ui.find("status bar", "LIVE")
    story.until(lambda: len(desk.inhibited), 1)
    assert "broadcast" in list(desk.inhibited.values())[0][2], desk.inhibited
    watching = story.watch()
    story.until(lambda: len(story.status()["viewers"]), 1)
    assert not desk.shown, "who looks at the window sees it there"
    statistics(story)

    # Who wants the computer to sleep says so, at once and for the next time.
    window = story.open_preferences()
    ui.toggle(ui.find("check box", "Keep this computer awake", window), False)
    story.until(lambda: len(desk.inhibited), 0)
    story.until(lambda: "awake = false" in kept("window.toml"), True)
    ui.toggle(ui.find("check box", "Keep this computer awake", window), True)
    story.until(lambda: len(desk.inhibited), 1)
    ui.keys("Escape")
    ui.wait(lambda: not ui.find_all("dialog", "Preferences"), "the preferences to close")

    # Closed while live it goes on unseen, and tells what happens.
    ui.keys("ctrl+w")
    ui.click(ui.find("button", re.compile("^Go on in the background")))
    story.until(desk.titles, ["Aerial goes on in the background"])
    ui.wait(lambda: not ui.find_all("button", "End"), "the window to go")
    body = b'{"kind": "icecast", "url": "icecast://source:x@127.0.0.1:9/live.webm", "enabled": true}'
    ask = urllib.request.Request(story.address + "/api/v1/outputs/radio", data=body, method="PUT", headers={
        "Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
    urllib.request.urlopen(ask, timeout=10).close()
    story.until(lambda: desk.titles(), ["Aerial goes on in the background", "radio does not work"])
    assert story.status()["air"] == "live" and len(story.status()["viewers"]) == 1
    # Started again, it is there again, and what stood for it is gone.
    subprocess.run([AERIAL], check=True, timeout=60)
    ui.find("button", "End")
    story.until(lambda: "Aerial goes on in the background" in desk.titles(), False)

    # And from its notification.
    ui.keys("ctrl+w")
    ui.click(ui.find("button", re.compile("^Go on in the background")))
    story.until(lambda: "Aerial goes on in the background" in desk.titles(), True)
    desk.press("Aerial goes on in the background", "Show")
    ui.find("button", "End")
    story.until(lambda: "Aerial goes on in the background" in desk.titles(), False)
    ui.click(ui.find("button", "End"))
    story.until(lambda: story.status()["air"], "off")
    story.until(lambda: len(desk.inhibited), 0)
    watching.close()

    # A window that came back by itself has not taken the focus from anybody.
    ui.pointer_click(ui.find("status bar", "Off air"))

    # Another size takes effect when it starts again, which it does by itself if asked.
    window = story.open_preferences()
    ui.click(ui.find("page tab", "Picture", window))
    ui.choose("Size", "640 × 360")
    story.until(lambda: 'size = "640x360"' in kept(os.path.join("profiles", "default.toml")), True)
    story.start_again("Picture")
    ui.click(ui.find("button", "Go live"))
    ui.find("status bar", "LIVE")
    watching = story.watch()
    story.until(lambda: [e["width"] for e in story.status()["encoders"] if e["width"]], [640])
    watching.close()
    ui.click(ui.find("button", "End"))
    ui.find("button", "Go live")
