#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the help: opened by F1, chosen and read by keyboard, its links followed.

    help.py AERIAL SHOTS FILES     runs in the desktop of its environment; FILES is not used
"""
import re
import sys

import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi

from story import Story

AERIAL, SHOTS = sys.argv[1:3]

with Story(AERIAL, SHOTS) as s:
    ui = s.ui

    found = []

    def window():
        if not found:
            found.append(ui.find("dialog", "Help"))
        return found[0]

    def headings():
        return [ui.label(n) for n in ui.find_all("heading", None, window())]

    def page(title):
        ui.wait(lambda: headings()[:1] == [title], f"the page {title}")

    def focused(role):
        found = [n for n in ui.find_all(role, None, window()) if "focused" in ui.states(n)]
        return found[0] if found else None

    def height(name):
        """Where a heading stands in the window, from above."""
        box = Atspi.Component.get_extents(ui.find("heading", name, window()), Atspi.CoordType.WINDOW)
        return box.y

    def up(name):
        ui.wait(lambda: 0 < height(name) < 200, f"the heading {name} to come up")

    ui.keys("F1")
    topics = ui.find("list", "Topics")
    page("Getting started")
    # Again: it is the same window.
    ui.keys("F1")
    ui.wait(lambda: focused("list item"), "the list to have the focus")
    assert len(ui.find_all("dialog", "Help")) == 1

    # By keyboard alone: down the list, into the text, down the page.
    ui.keys("Down")
    page("Sources")
    assert "Camera and microphone" in headings(), headings()
    command = ui.find("label", "aerial live --video camera --audio mic", window())
    assert "focusable" in ui.states(command), ui.states(command)
    ui.keys("Return")
    ui.wait(lambda: focused("heading"), "the text to be reached by Return")
    ui.keys("Tab")
    ui.wait(lambda: focused("label"), "the text to be reached by Tab")
    before = height("Test card and tone")
    ui.keys("Page_Down")
    ui.wait(lambda: height("Test card and tone") < before - 100, "the page to be turned")
    s.shot("help")

    # Every page is another one.
    titles = []
    for row in range(topics.get_child_count()):
        item = topics.get_child_at_index(row)
        ui.click(item, pointer=True)
        ui.wait(lambda: headings() and headings()[0] not in titles, f"the page {ui.label(item)}")
        titles.append(headings()[0])
    assert len(titles) >= 8, titles

    # A link within a page, and one to another page. Clicked where it begins.
    ui.click(ui.find("list item", "Outputs", topics), pointer=True)
    page("Outputs")
    ui.pointer_click(ui.find("label", "everybody with the link", window()))
    up("The built-in server")
    cell = ui.find("label", re.compile("^guests: "), window())
    x, y = ui.origin(cell)
    box = Atspi.Component.get_extents(cell, Atspi.CoordType.WINDOW)
    ui.move(x + box.x + 8, y + box.y + 8)
    ui.button("down")
    ui.button("up")
    page("Sources")
    up("Guests")
    s.shot("help-link")

    ui.keys("Escape")
    ui.wait(lambda: not ui.find_all("dialog", "Help"), "the help to close")
    found.clear()
    # From the menu, too. It goes with the main window, which Ctrl+Q closes from anywhere.
    ui.click(ui.find(None, "Main menu"))
    ui.click(ui.find("menu item", "Help"))
    page("Getting started")
