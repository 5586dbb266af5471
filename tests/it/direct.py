#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of directing: add by menu, change layouts while live, mix, remove and bring back.

    direct.py AERIAL SHOTS FILES     runs in the desktop of its environment; FILES is not used
"""
import re
import sys

from story import Story

AERIAL, SHOTS = sys.argv[1:3]


def add(story, what):
    ui = story.ui
    ui.click("Add source")
    item = ui.find("menu item", what)
    ui.click(item)
    ui.wait(lambda: not ui.find_all("menu item", what), "the menu to close")


def strip(story, spec):
    return next(s["strip"] for s in story.sources("audio") if s["spec"] == spec)


def layouts(story):
    ui = story.ui
    camera = story.specs()[0]
    add(story, "Test card")
    story.until(story.specs, [camera, "test"])
    story.until(story.shown, [camera, "test"])
    story.pressed("Grid")
    ui.click(ui.find("button", "One picture"))
    story.until(story.shown, [camera])
    story.pressed("One picture")
    ui.click(ui.find("button", "Picture in picture"))
    story.until(story.shown, [camera, "test"])
    story.pressed("Picture in picture")
    ui.click(ui.find("button", "Show Test card alone"))
    story.until(story.shown, ["test"])
    ui.click(ui.find("button", "Side by side"))
    story.until(story.shown, [camera, "test"])
    ui.click(ui.find("button", "Test card on screen"))
    story.until(story.shown, [camera])
    ui.click(ui.find("button", "Test card on screen"))
    story.until(story.shown, [camera, "test"])
    story.shot("side by side")


def framing(story):
    ui = story.ui

    def now():
        return next(s["framing"] for s in story.sources("video") if s["spec"] == "test")
    ui.click("Settings of Test card")
    ui.click(ui.find("button", "Fill"))
    story.until(lambda: now()["sizing"], "fill")
    story.shot("settings of a picture")
    ui.keys("Escape")


def mixer(story):
    ui = story.ui
    add(story, "Test tone")
    story.until(lambda: "tone" in story.specs("audio"), True)
    ui.click(ui.find("button", "Mute Test tone"))
    story.until(lambda: strip(story, "tone")["muted"], True)
    story.pressed("Mute Test tone")
    ui.set_value(ui.find("slider", "Loudness of Test tone"), -12)
    story.until(lambda: strip(story, "tone")["gain_db"], -12.0)
    ui.find("label", "−12.0 dB")
    # Loud or not, it stays muted.
    assert strip(story, "tone")["muted"]


def removed_and_brought_back(story):
    ui = story.ui
    before, kept = story.specs(), strip(story, "tone")
    ui.click("Settings of Test tone")
    ui.click(ui.find("button", "Remove Test tone"))
    story.until(lambda: "tone" in story.specs("audio"), False)
    story.undo()
    story.until(lambda: "tone" in story.specs("audio"), True)
    story.until(lambda: strip(story, "tone"), kept)
    ui.click("Settings of Test card")
    ui.click(ui.find("button", "Remove Test card"))
    story.until(lambda: "test" in story.specs(), False)
    story.undo()
    story.until(story.specs, before)
    story.until(story.shown, before)
    story.until(lambda: next(s["framing"]["sizing"] for s in story.sources("video") if s["spec"] == "test"), "fill")


def asked_for(story):
    """What has to be typed is looked at before it is added."""
    ui = story.ui
    add(story, "Link…")
    ui.set_text(ui.find("text", "Address"), "nonsense")
    ui.click(ui.find("button", "Add"))
    story.said("“nonsense” is neither a link nor a file")
    ui.set_text(ui.find("text", "Address"), "ftp://example.org/film.webm")
    ui.click(ui.find("button", "Add"))
    story.said("That ftp link cannot be used")
    story.shot("a link that cannot be used")
    ui.click(ui.find("button", "Cancel"))
    add(story, "Pictures from a program…")
    ui.set_text(ui.find("text", "Name of the pictures"), "plot-1")
    story.said(f"{story.address}/frames/plot-1")
    ui.click(ui.find("button", "Add"))
    story.until(lambda: "frames:plot-1" in story.specs(), True)


def main():
    with Story(AERIAL, SHOTS) as story:
        story.place("Aerial", 0, 0)
        story.ui.click(story.ui.find("button", "Go live"))
        story.ui.find("status bar", "LIVE")
        layouts(story)
        framing(story)
        mixer(story)
        removed_and_brought_back(story)
        asked_for(story)
        story.shot("directed")
        assert story.status()["air"] == "live"
        story.ui.click(story.ui.find("button", "End"))
        story.ui.find("button", "Go live")


main()
