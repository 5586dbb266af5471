#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of what is kept: a whole broadcast from the window, which is left and opened again, and everything is as it
was; profiles besides.

    keep.py AERIAL SHOTS FILES     runs in the desktop of its environment, X11 or Wayland; the recording goes to the
                                   folder FILES
"""
import base64
import os
import re
import socket
import sys
import threading

from story import Story

AERIAL, SHOTS, FILES = sys.argv[1:4]
PROFILES = os.path.join(os.environ["XDG_CONFIG_HOME"], "aerial", "profiles")
PASSWORD = "kept-in-the-keyring"
# Without a folder of videos, recordings go there.
os.environ["HOME"] = FILES


class Server:
    """Takes connections as an Icecast server does, and remembers with which password."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.passwords = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        with peer:
            head = b""
            while b"\r\n\r\n" not in head:
                part = peer.recv(4096)
                if not part:
                    return
                head += part
            found = re.search(rb"(?i)authorization: basic (\S+)", head)
            if found:
                self.passwords.append(base64.b64decode(found[1]).decode())
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while peer.recv(65536):
                pass


def menu(story, button, item):
    ui = story.ui
    ui.click(button)
    found = ui.find("menu item", item)
    ui.click(found)
    ui.wait(lambda: not ui.find_all("menu item", item), "the menu to close")


def kept():
    """The text of every file that is kept."""
    texts = {}
    for folder, _, files in os.walk(os.environ["XDG_CONFIG_HOME"]):
        for name in files:
            with open(os.path.join(folder, name), errors="replace") as file:
                texts[name] = file.read()
    return texts


def muted(story):
    return next(s["strip"]["muted"] for s in story.sources("audio"))


def outputs(story):
    return [(o["name"], o["enabled"]) for o in story.status()["outputs"]]


def set_up(story, server):
    ui = story.ui
    # What is there is shown by itself; more comes by the menu.
    menu(story, "Add source", "Test card")
    story.until(lambda: len(story.specs()), 2)
    ui.click(ui.find("button", "Side by side"))
    story.until(lambda: len(story.shown()), 2)
    ui.click(ui.find("button", "Mute System microphone"))
    story.until(lambda: muted(story), True)
    ui.choose("Picture codec", "H.264")
    menu(story, "Add output", "Icecast server…")
    for field, value in [("Host", "127.0.0.1"), ("Port", str(server.port)), ("Mount", "/live.webm"),
                         ("Source password", PASSWORD)]:
        ui.set_text(ui.find("text", field), value)
    ui.click(ui.find("button", "Add"))
    story.until(lambda: len(outputs(story)), 1)
    story.until(lambda: "[[output]]" in kept().get("default.toml", ""), True)


def broadcast(story, server):
    """On air, a viewer who is let go, and a recording."""
    ui = story.ui
    ui.click(ui.find("button", re.compile("^Go live")))
    ui.find("status bar", "LIVE")
    story.until(lambda: bool(server.passwords), True)
    ended = story.watch("Walkman/1")
    ui.click(ui.find("page tab", re.compile("^Viewers")))
    ui.click(ui.find("button", "Kick Walkman"))
    story.until(lambda: story.status()["viewers"], [])
    assert ended.wait(20)
    ended.close()
    ui.click(ui.find("button", "Record"))
    story.until(recorded, True)
    ui.click(ui.find("button", "Stop recording"))
    ui.find("button", "Record")
    story.shot("broadcast")
    ui.click(ui.find("button", "End"))
    story.until(lambda: story.status()["air"], "off")


def recorded():
    """Whether anything is in the one recording."""
    sizes = [os.path.getsize(os.path.join(FILES, name)) for name in os.listdir(FILES) if name.endswith(".webm")]
    return len(sizes) == 1 and sizes[0] > 0


server = Server()
with Story(AERIAL, SHOTS) as story:
    set_up(story, server)
    # A recording is over when it ends: it is not begun again.
    sources, shown, sent = story.specs() + story.specs("audio"), story.shown(), outputs(story)
    broadcast(story, server)
assert "h264" in kept()["default.toml"], kept()
assert not any(PASSWORD in text for text in kept().values()), "the password is in the keyring alone"

# Everything is as it was; the password too, as the server finds.
server.passwords.clear()
with Story(AERIAL, SHOTS) as story:
    ui = story.ui
    story.until(lambda: story.specs() + story.specs("audio"), sources)
    story.until(story.shown, shown)
    story.pressed("Side by side")
    assert muted(story) and outputs(story) == sent, story.status()
    ui.find("label", "H.264")
    story.shot("as it was")
    ui.click(ui.find("button", re.compile("^Go live")))
    story.until(lambda: bool(server.passwords), True)
    assert server.passwords[0].endswith(":" + PASSWORD), server.passwords
    ui.click(ui.find("button", "End"))
    story.until(lambda: story.status()["air"], "off")

    # Another profile begins as this one is; what is changed in it changes nothing in this one.
    menu(story, "Profile Default", "Duplicate…")
    ui.set_text(ui.find("text", "Name"), "Friday")
    ui.click(ui.find("button", re.compile("^Create")))
    ui.find("button", "Profile Friday")
    story.until(lambda: outputs(story), sent)
    ui.click(ui.find("button", "Mute System microphone"))
    story.until(lambda: muted(story), False)
    story.until(lambda: "muted = true" in kept()["Friday.toml"], False)
    menu(story, "Profile Friday", "Default")
    ui.find("button", "Profile Default")
    story.until(lambda: muted(story), True)
    menu(story, "Profile Default", "Friday")
    story.until(lambda: muted(story), False)
    story.shot("profiles")

# The one that was in use is in use. Deleted, it is gone, and so is its password.
with Story(AERIAL, SHOTS) as story:
    ui = story.ui
    ui.find("button", "Profile Friday")
    assert not muted(story)
    menu(story, "Profile Friday", "Delete…")
    ui.click(ui.find("button", re.compile("^Delete")))
    ui.find("button", "Profile Default")
    story.until(lambda: muted(story), True)
    story.until(lambda: "Friday.toml" in kept(), False)

# What cannot be understood is told and kept, and never written over.
broken = 'video = ["test"]\nfrom_the_future = 1\n'
with open(os.path.join(PROFILES, "default.toml"), "w") as out:
    out.write(broken)
with Story(AERIAL, SHOTS) as story:
    story.said("from_the_future.*put aside as default.toml.broken-1")
    story.shot("put aside")
assert kept()["default.toml.broken-1"] == broken, kept()
