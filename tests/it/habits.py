#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of what makes daily work short: small pictures of sources, files that were added before, lines around what is
seen everywhere, keys that work in every program, limits of the audience.

    habits.py AERIAL SHOTS FILES     runs in the desktop of its environment

The desktop of tests has nobody who gives keys: a stand-in does.
"""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

from desk import Keys
from story import TOKEN, Story, kept

AERIAL, SHOTS, FILES = sys.argv[1:4]
KEYS = "Keys that work in every program"


def colourful(story, node):
    """Whether there are strong colours where this is on the screen: icons have none."""
    x, y = story.ui.position(node)
    pixels = subprocess.run(["import", "-window", "root", "-crop", f"60x32+{x - 30}+{y - 16}", "-depth", "8", "rgb:-"],
                            check=True, stdout=subprocess.PIPE).stdout
    strong = sum(max(p) - min(p) > 150 for p in zip(pixels[::3], pixels[1::3], pixels[2::3]))
    return strong > len(pixels) // 3 // 4


def small_pictures(story):
    ui = story.ui
    ui.wait(lambda: colourful(story, ui.find("button", "Show Test card alone")), "the picture of the test card")
    story.shot("thumbnails")


def recent_files(story):
    ui = story.ui
    film = os.path.join(FILES, "my_film.webm")
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=60", "pattern=ball", "!", "vp8enc", "!", "webmmux",
                    "!", "filesink", f"location={film}"], check=True)
    subprocess.run([AERIAL, film], check=True, timeout=60)
    story.until(lambda: story.specs().count("file:" + film), 1)
    ui.click(ui.find("button", "Add source"))
    # As the file is called, without the mark of a key.
    ui.click(ui.find("menu item", "my_film.webm"))
    story.until(lambda: story.specs().count("file:" + film), 2)
    ui.wait(lambda: not ui.find_all("menu item", "my_film.webm"), "the menu to close")


class NarrowServer:
    """Takes a stream as an Icecast server does at the end of a narrow line: 25 kB/s, and hardly any on the way."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.wide = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while peer.recv(1 << 20 if self.wide.is_set() else 5000):
                    # The line is what takes time, not the story.
                    self.wide.wait(0.2)


def output(story, name, about):
    ask = urllib.request.Request(story.address + "/api/v1/outputs/" + name, data=json.dumps(about).encode(), method="PUT",
                                 headers={"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
    urllib.request.urlopen(ask, timeout=10).close()


def bitrate(story):
    """Of the picture, as it is asked for."""
    return story.ui.value(story.ui.find("spin button", "Picture bitrate"))


def narrow_line(story):
    ui = story.ui
    server = NarrowServer()
    before = bitrate(story)
    output(story, "radio", {"kind": "icecast", "url": f"icecast://source:x@{server.address}/live.webm", "enabled": True})
    ui.click(ui.find("button", "Go live"))
    ui.find("label", re.compile("^Your upload is the bottleneck: lower the bitrate to"), timeout=120)
    story.shot("narrow line")
    ui.click(ui.find("button", re.compile("^Lower to ")))
    story.undo()
    story.until(lambda: bitrate(story), before)
    ui.click(ui.find("button", re.compile("^Lower to ")))
    story.until(lambda: bitrate(story) < before, True)
    # Once the line takes it, there is nothing to advise.
    server.wide.set()
    ui.find("label", "Everything is fine.", timeout=120)
    ui.wait(lambda: not ui.find_all("button", re.compile("^Lower to ")), "the advice to go")
    ui.click(ui.find("button", "End"))
    ui.find("button", "Go live")


def muted(story):
    return next(s["strip"]["muted"] for s in story.sources("audio") if s["spec"].startswith("mic"))


def switch(story, window, on):
    story.ui.toggle(story.ui.find("check box", KEYS, window), on)


def keys_everywhere(story):
    ui = story.ui
    window = story.open_preferences()
    switch(story, window, True)
    ui.find("label", re.compile("^This desktop has no keys .* GNOME from 48"), window)
    switch(story, window, False)
    portal = Keys()
    portal.refuse = True
    # It may be off again before anybody has seen it on.
    ui.click(ui.find("check box", KEYS, window))
    ui.find("label", re.compile("^The keys were not allowed"), window)
    ui.wait(lambda: "checked" not in ui.states(ui.find("check box", KEYS, window)), "the switch to be off again")
    portal.refuse = False
    switch(story, window, True)
    ui.find("label", "CTRL+ALT+l · CTRL+ALT+r · CTRL+ALT+m", window)
    story.shot("keys everywhere")
    assert portal.bound[0] == ("air", "Go live, or end the broadcast", "CTRL+ALT+l"), portal.bound
    portal.press("air")
    story.until(lambda: story.status()["air"], "live")
    portal.press("mute-microphones")
    story.until(lambda: muted(story), True)
    ui.find("label", "Muted")
    portal.press("mute-microphones")
    story.until(lambda: muted(story), False)
    portal.press("air")
    story.until(lambda: story.status()["air"], "off")
    portal.end()
    ui.find("label", re.compile("^The desktop took the keys back"), window)
    switch(story, window, False)
    switch(story, window, True)
    ui.find("label", "CTRL+ALT+l · CTRL+ALT+r · CTRL+ALT+m", window)
    closed = portal.closed
    switch(story, window, False)
    story.until(lambda: portal.closed, closed + 1)
    return window


def limits(story, window):
    ui = story.ui
    ui.click(ui.find("page tab", "Network", window))
    ui.set_value(ui.find("spin button", "Most viewers at a time", window), 1)
    story.until(lambda: "max_viewers = 1\n" in kept(os.path.join("profiles", "default.toml")), True)
    story.shot("limits")
    story.start_again("Network")
    ui.click(ui.find("button", "Go live"))
    ui.find("status bar", "LIVE")
    watching = story.watch()
    story.until(lambda: len(story.status()["viewers"]), 1)
    try:
        story.watch()
    except urllib.error.HTTPError as error:
        assert error.code == 503, error
    else:
        raise AssertionError("a second viewer was let in")
    watching.close()
    ui.click(ui.find("button", "End"))
    ui.find("button", "Go live")


with Story(AERIAL, SHOTS) as story:
    story.ui.click(story.ui.find("button", "Add source"))
    story.ui.click(story.ui.find("menu item", "Test card"))
    small_pictures(story)
    recent_files(story)
    narrow_line(story)
    story.ui.keys("ctrl+g")
    limits(story, keys_everywhere(story))
assert "safe_areas = true" in kept("window.toml"), kept("window.toml")
