#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of who has no mouse and does not see: every control has a name, and the keyboard reaches all of the way.

    keyboard.py AERIAL SHOTS FILES     runs in the desktop of its environment, X11 or Wayland; the recording goes to the
                                       folder FILES
"""
import os
import re
import sys
import time

from story import Story
from ui import Atspi

AERIAL, SHOTS, FILES = sys.argv[1:4]
# Without a folder of videos, recordings go there.
os.environ["HOME"] = FILES
CONTROLS = {"push button", "toggle button", "button", "check box", "radio button", "slider", "spin button", "text",
            "password text", "combo box", "page tab", "link", "menu item", "check menu item", "radio menu item", "switch",
            "list item", "list", "level bar", "table", "tree table"}
# What GTK calls something that has no name of its own.
CLASS = re.compile(r"^(Gtk|Adw|Aerial)[A-Z]\w+$")


class Focus:
    """What has the focus, as screen readers are told."""

    def __init__(self, ui):
        self.ui, self.node = ui, None
        self.listener = Atspi.EventListener.new(self.told)
        self.listener.register("object:state-changed:focused")

    def told(self, event, *_):
        if event.detail1 and event.source.get_process_id() == self.ui.pid:
            self.node = event.source

    def press(self, key):
        """Press a key, and see where the focus is once nothing moves."""
        self.node = None
        self.ui.keys(key)
        end = time.monotonic() + 1
        while self.node is None and time.monotonic() < end:
            self.ui.wait(lambda: True)
            time.sleep(0.02)
        return self.node


def reach(story, focus, role, name, key="Tab", most=90):
    """Press Tab until this has the focus. Everything on the way has a name."""
    ui, trail = story.ui, []
    for _ in range(most):
        node = focus.press(key)
        if node is None:
            continue
        trail.append(f"{node.get_role_name()} {ui.label(node)!r}")
        if ui.matches(node, role, name):
            return node
        inner = [n for _, n in ui.nodes(node)][:4]
        assert any(ui.label(n) for n in inner), f"it has no name: {trail}"
    story.shot("not reached")
    raise AssertionError(f"{role} {name!r} is not reached: {trail}")


def on_screen(node):
    """The page of a stack that is not shown has no size."""
    box = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
    return box.width > 0 and box.height > 0


def all_named(story, where):
    """Nothing that can be used, and is seen, is without a name."""
    ui = story.ui
    nameless = []
    for path, node in ui.nodes():
        if node.get_role_name() not in CONTROLS or "visible" not in ui.states(node):
            continue
        # The list within a table is the table.
        if not on_screen(node) or node.get_parent().get_role_name() in ("table", "tree table"):
            continue
        name = ui.label(node)
        if name and not CLASS.match(name):
            continue
        # A row, or a button with a button in it, is read by what is in it.
        within = [ui.label(n) for _, n in ui.nodes(node)]
        if any(w and not CLASS.match(w) for w in within):
            continue
        parents, up = [], node.get_parent()
        while up is not None and len(parents) < 6:
            parents.append(f"{up.get_role_name()} {ui.label(up)!r}")
            up = up.get_parent()
        nameless.append(f"{node.get_role_name()} {name!r} in {parents}")
    assert not nameless, f"{where}: without a name:\n" + "\n".join(nameless)


def look_everywhere(story, focus):
    ui = story.ui
    all_named(story, "the window")
    for kind in ("Icecast server…", "RTMP server…", "SRT receiver…", "WHIP endpoint…", "Janus video room…"):
        reach(story, focus, "push button", "Add output")
        ui.keys("Return")
        ui.click(ui.find("menu item", kind))
        ui.find("button", "Cancel")
        all_named(story, kind)
        reach(story, focus, "push button", "Cancel")
        ui.keys("Return")
        ui.wait(lambda: any(map(on_screen, ui.find_all("push button", "Add output"))), "the form to close")
    for key, name in (("ctrl+i", "Statistics"), ("ctrl+comma", "Preferences"), ("F1", "Help")):
        ui.keys(key)
        ui.find("dialog", name)
        ui.wait(lambda: True)
        all_named(story, name)
        ui.keys("Escape")
        ui.wait(lambda: not ui.find_all("dialog", name), f"{name} to close")


with Story(AERIAL, SHOTS) as story:
    ui = story.ui
    focus = Focus(ui)
    look_everywhere(story, focus)

    # A source, by its menu.
    reach(story, focus, "push button", "Add source")
    ui.keys("Return")
    ui.find("menu item", "Test card")
    for _ in range(20):
        node = focus.press("Down")
        if node is not None and ui.label(node) == "Test card":
            break
    ui.keys("Return")
    story.until(lambda: story.specs()[-1], "test")
    # Another codec, and less of it.
    reach(story, focus, "combo box", "Picture codec")
    focus.press("space")
    focus.press("Down")
    ui.keys("Return")
    story.until(lambda: "VP8" in [ui.label(n) for n in ui.find_all("label")], False)

    # On air, and recording, with a viewer who is then let go.
    ui.keys("ctrl+Return")
    ui.find("status bar", "LIVE")
    ui.keys("ctrl+r")
    ui.find("button", "Stop recording")
    ended = story.watch("Walkman/1")
    story.until(lambda: len(story.status()["viewers"]), 1)
    ui.keys("ctrl+2")
    ui.find("page tab", "Viewers 1")
    reach(story, focus, "push button", "Kick Walkman")
    all_named(story, "the list of viewers")
    focus.node = None
    ui.keys("Return")
    story.until(lambda: len(story.status()["viewers"]), 0)
    assert ended.wait(20)
    # The focus leaves with the row that had it, for where Return does no harm. A key that is pressed on the way reaches
    # nobody.
    ui.wait(lambda: focus.node and ui.matches(focus.node, "push button", "Copy link"), "the focus on Copy link")
    ui.keys("ctrl+r")
    ui.find("button", "Record")
    ui.keys("ctrl+Return")
    ui.find("button", "Go live")
    assert any(name.endswith(".webm") for name in os.listdir(FILES)), "nothing was recorded"
