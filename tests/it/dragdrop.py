#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of drag and drop: from other programs, from the window's own rows, and by paste.

    dragdrop.py AERIAL SHOTS FILES    runs in the desktop of its environment; FILES is an empty folder
"""
import json
import os
import queue
import re
import struct
import subprocess
import sys
import threading
import time
import zlib

from story import BED, Story

AERIAL, SHOTS, FILES = sys.argv[1:4]
TOP, LEFT, RIGHT = (0.5, 0.1), (0.2, 0.5), (0.85, 0.5)
MIDDLE, CORNER = (0.5, 0.5), (0.92, 0.92)


def png(name, colour):
    """A small picture, written without any help."""
    path = os.path.join(FILES, name)
    row = b"\0" + bytes(colour) * 64
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 64, 36, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row * 36)), (b"IEND", b"")]
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in chunks:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return path


def other(name, text="words"):
    path = os.path.join(FILES, name)
    with open(path, "w") as file:
        file.write(text)
    return path


class Drags:
    """Moves the pointer as a person does: down, away, over the target, up."""

    def __init__(self, story):
        self.story, self.ui = story, story.ui

    def begin(self, x, y):
        self.ui.move(x, y)
        time.sleep(0.1)
        self.ui.button("down")
        time.sleep(0.1)
        # Far enough to count as a drag.
        for i in range(1, 5):
            self.ui.move(x + 8 * i, y - 4 * i)
            time.sleep(0.03)
        self.at = (x + 32, y - 16)

    def glide(self, x, y):
        x0, y0 = self.at
        for i in range(1, 11):
            self.ui.move(x0 + (x - x0) * i // 10, y0 + (y - y0) * i // 10)
            time.sleep(0.03)
        self.at = (x, y)

    def preview(self, share):
        """That part of the preview, which shows its zones as soon as something is over the window."""
        meter = self.ui.position(self.ui.find("level bar", "Sound level"))
        self.glide(meter[0], meter[1] - 20)
        zones = self.ui.find("status bar", "Drop it here to show it")
        middle, size = self.ui.position(zones), self.size(zones)
        return (int(middle[0] + (share[0] - 0.5) * size[0]), int(middle[1] + (share[1] - 0.5) * size[1]))

    def size(self, node):
        from ui import Atspi
        box = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
        return box.width, box.height

    def drop_on_preview(self, share, words):
        x, y = self.preview(share)
        self.glide(x, y)
        # It says what will happen before it happens.
        self.ui.find("status bar", words)
        self.story.shot("over " + words.lower())
        self.ui.button("up")

    def drop_on_list(self):
        meter = self.ui.position(self.ui.find("level bar", "Sound level"))
        self.glide(meter[0], meter[1] - 20)
        self.glide(*self.ui.position(self.ui.find("label", "Drop it here to only add it")))
        self.ui.find("label", "Add it without showing it")
        self.ui.button("up")

    def from_outside(self, *words):
        source = Source(self.story, words)
        # A window manager may place a window once more that was just moved: then nothing was under the pointer.
        for _ in range(5):
            self.begin(*outside(self.ui, source.pid))
            if source.says("drag-begin", 5):
                return source
            self.ui.button("up")
        raise AssertionError("the drag did not begin")

    def over(self, source):
        assert source.says("drag-end", 60), "the drag did not end"
        source.kill()
        source.wait()
        self.story.others.remove(source)

    def row(self, name):
        return self.story.still(self.ui.find("label", name, self.ui.find("list", "Picture sources")))


class Source(subprocess.Popen):
    """The program from which something is dragged; it tells what happens to it."""

    def __init__(self, story, words):
        super().__init__([os.path.join(BED, "drag-source"), *words], stdout=subprocess.PIPE, text=True)
        self.told = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        story.others.append(self)
        assert self.says("ready", 60), "the other program did not start"
        story.place("Drag Source", 60, 860)

    def listen(self):
        for line in self.stdout:
            self.told.put(json.loads(line)["event"])

    def says(self, event, seconds):
        """Whether this comes next, within so many seconds."""
        try:
            told = self.told.get(timeout=seconds)
        except queue.Empty:
            return False
        assert told == event, told
        return True


def outside(ui, pid):
    """The middle of the window of another program."""
    from ui import run
    wid = ui.wait(lambda: run("xdotool", "search", "--onlyvisible", "--pid", str(pid), check=False).split(), "its window")[-1]
    box = dict(line.split("=") for line in run("xdotool", "getwindowgeometry", "--shell", wid).split())
    return int(box["X"]) + int(box["WIDTH"]) // 2, int(box["Y"]) + int(box["HEIGHT"]) // 2


def from_a_file_manager(story, drags):
    odd = [png('50 % "red" käse.png', (200, 0, 0)), png("new\nline 😀.png", (0, 200, 0)), png("#1?&.png", (0, 0, 200))]
    broken = [other("notes.txt"), other("old.zip", "PK\x03\x04"), os.path.join(FILES, "gone.png")]
    before = story.specs()
    source = drags.from_outside(broken[0], odd[0], broken[1], odd[1], broken[2], odd[2])
    drags.drop_on_preview(MIDDLE, "Show it alone")
    drags.over(source)
    # Each that cannot be shown is refused by name, with its reason; messages come one after the other, and go.
    story.passing("notes.txt.*neither picture, film nor sound")
    story.passing("old.zip.*neither picture, film nor sound")
    story.passing("gone.png is not there")
    specs = ["file:" + path for path in odd]
    story.until(story.specs, before + specs)
    story.until(story.shown, [specs[0]])
    story.pressed("One picture")
    for spec in specs:
        story.until(lambda spec=spec: next(s["state"] for s in story.sources("video") if s["spec"] == spec), "live")
    return specs


def onto_each_part(story, drags, specs):
    films = os.path.join(FILES, "Ordner mit Bildern")
    os.mkdir(films)
    png(os.path.join(films, "1.png"), (9, 9, 9))
    source = drags.from_outside(films)
    drags.drop_on_preview(LEFT, "Show it in the left half")
    drags.over(source)
    story.until(story.shown, [specs[0], "folder:" + films])
    story.pressed("Side by side")

    link = "http://127.0.0.1:9/a%20film.webm"
    source = drags.from_outside("--text", f"{link}\nftp://127.0.0.1/x.webm\njust words")
    drags.drop_on_preview(CORNER, "Show it small, bottom right")
    drags.over(source)
    story.passing("That ftp link cannot be used")
    story.passing("“just words” is neither a link nor a file")
    story.until(lambda: link in story.shown(), True)
    story.pressed("Picture in picture")

    empty = os.path.join(FILES, "leer")
    os.mkdir(empty)
    late = png("late.png", (7, 7, 7))
    shown = story.shown()
    source = drags.from_outside(empty, late)
    drags.drop_on_list()
    drags.over(source)
    story.passing("There are no pictures in the folder leer")
    story.until(lambda: story.specs()[-1], "file:" + late)
    assert story.shown() == shown, "what is added to the list is not shown"
    return "file:" + late


def own_rows(story, drags, specs, late):
    ui = story.ui
    # A source row onto the right half.
    ui.click(ui.find("button", 'Show 50 % "red" käse.png alone'))
    story.until(story.shown, [specs[0]])
    drags.begin(*drags.row("new line 😀.png"))
    drags.drop_on_preview(RIGHT, "Show it in the right half")
    story.until(story.shown, specs[:2])
    story.pressed("Side by side")

    # Within the list: the third above the second.
    order = story.specs()
    at = [order.index(s) for s in specs]
    assert at == sorted(at)
    drags.begin(*drags.row("#1?&.png"))
    x, y = ui.position(ui.find("label", "new line 😀.png", ui.find("list", "Picture sources")))
    drags.glide(x, y - 12)
    ui.find("label", "Move it above new line 😀.png")
    story.shot("over a row")
    ui.button("up")
    moved = [s for s in order if s != specs[2]]
    moved.insert(moved.index(specs[1]), specs[2])
    story.until(story.specs, moved)

    # And by key: back again.
    ui.pointer_click(ui.find("button", "Show #1?&.png alone"))
    story.until(story.shown, [specs[2]])
    ui.keys("alt+Down")
    story.until(story.specs, order)
    # The row has kept the focus, so the key goes on working.
    ui.keys("alt+Up")
    story.until(story.specs, moved)


def a_device(story, drags):
    """A camera that is plugged in and not in use, onto a corner."""
    ui = story.ui
    camera = next(s for s in story.specs() if s.startswith("camera:"))
    ui.click("Add source")
    ui.click(ui.find("menu item", "Test card"))
    story.until(story.shown, [camera, "test"])
    ui.click("Settings of Testbed Camera")
    ui.click(ui.find("button", "Remove Testbed Camera"))
    story.until(lambda: camera in story.specs(), False)
    row = ui.find("label", "Testbed Camera", ui.find("list", "Plugged in"))
    drags.begin(*story.still(row))
    drags.drop_on_preview(CORNER, "Show it small, bottom right")
    story.until(story.shown, ["test", camera])
    story.pressed("Picture in picture")


def a_film(story, drags):
    """Picture and sound of one file: played, wound, taken away and brought back together."""
    ui = story.ui
    path = os.path.join(FILES, "Film.webm")
    subprocess.run(["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=15:duration=60",
                    "-f", "lavfi", "-i", "sine=duration=60", "-c:v", "libvpx", "-c:a", "libopus", path], check=True)
    spec = "file:" + path

    def progress():
        return next(s["progress"] for s in story.sources("video") if s["spec"] == spec) or {}
    source = drags.from_outside(path)
    drags.drop_on_preview(MIDDLE, "Show it alone")
    drags.over(source)
    story.until(story.shown, [spec])
    story.until(lambda: spec in story.specs("audio"), True)
    ui.click(ui.find("button", "Pause Film.webm"))
    story.until(lambda: progress()["paused"], True)
    ui.find("button", "Play Film.webm")
    ui.set_value(ui.find("slider", "Place in Film.webm"), 40)
    story.until(lambda: round(progress()["position"]), 40)
    ui.click(ui.find("button", "Loop Film.webm"))
    story.until(lambda: progress()["looped"], False)
    ui.click(ui.find("button", "Play Film.webm"))
    story.until(lambda: progress()["position"] > 41, True)
    story.shot("a film")
    before = [story.specs(), story.specs("audio")]
    ui.click("Settings of Film.webm")
    ui.click(ui.find("button", "Remove Film.webm"))
    story.until(lambda: spec in story.specs() + story.specs("audio"), False)
    story.undo()
    story.until(lambda: [story.specs(), story.specs("audio")], before)
    story.until(story.shown, [spec])


def pasted(story):
    path = png("pasted & co.png", (1, 2, 3))
    Source(story, ["--copy", path])
    story.ui.pointer_click(story.ui.find("status bar", "LIVE"))
    story.ui.keys("ctrl+v")
    story.until(story.shown, ["file:" + path])


def main():
    with Story(AERIAL, SHOTS) as story:
        story.place("Aerial", 0, 0)
        story.ui.click(story.ui.find("button", "Go live"))
        story.ui.find("status bar", "LIVE")
        drags = Drags(story)
        a_device(story, drags)
        specs = from_a_file_manager(story, drags)
        late = onto_each_part(story, drags, specs)
        own_rows(story, drags, specs, late)
        a_film(story, drags)
        pasted(story)
        story.shot("dropped")
        assert story.status()["air"] == "live"
        story.ui.click(story.ui.find("button", "End"))
        story.ui.find("button", "Go live")


main()
