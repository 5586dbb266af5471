#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a viewer who is written about, banned, and let in again; and of the table that tells of it.

    ban.py AERIAL SHOTS FILES     runs in the desktop of its environment
"""
import os
import re
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from story import Story  # noqa: E402  (the path comes first)

AERIAL, SHOTS, FILES = sys.argv[1:4]
AGENT = "Walkman/1"


def viewer(story):
    """Somebody at another address, as far as addresses go: the connection, and how it was answered."""
    host, port = story.address.split("//")[1].rstrip("/").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60, source_address=("127.0.0.2", 0))
    connection.sendall(f"GET /live.webm HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {AGENT}\r\n\r\n".encode())
    return connection, connection.makefile("rb").readline().decode()


def names(ui):
    return [ui.label(node) or "" for _, node in ui.nodes()]


def main():
    with Story(AERIAL, SHOTS) as story:
        ui = story.ui
        ui.click(ui.find("button", re.compile("^Go live")))
        story.until(lambda: story.status()["air"], "live")
        ui.click(ui.find(None, re.compile(r"^Viewers")))
        connection, answer = viewer(story)
        assert " 200 " in answer, answer
        more = ui.find(None, re.compile("^More about Walkman"))

        ui.click(more)
        ui.click(ui.find("menu item", re.compile("note")))
        ui.type_text(ui.find("text", "Note"), "too loud")
        ui.keys("Return")
        story.until(lambda: [v["note"] for v in story.status()["viewers"]], ["too loud"])
        ui.wait(lambda: any("too loud" in name for name in names(ui)), "the note in the list")
        story.shot("noted")

        # What the system knows of that address.
        try:
            expected = socket.gethostbyaddr("127.0.0.2")[0] + " (127.0.0.2"
        except OSError:
            expected = "No name is known for 127.0.0.2."
        ui.click(ui.find(None, re.compile("^More about Walkman")))
        ui.click(ui.find("menu item", re.compile("^Find out")))
        ui.wait(lambda: any(expected in name for name in names(ui)), expected)

        ui.click(ui.find(None, re.compile("^More about Walkman")))
        ui.click(ui.find("menu item", re.compile("^Ban")))
        story.until(lambda: story.status()["viewers"], [])
        connection.close()
        again, answer = viewer(story)
        assert " 403 " in answer, answer
        again.close()

        ui.click(ui.find(None, "More about viewers"))
        ui.click(ui.find("menu item", re.compile("^Banned")))
        back = ui.find("button", "Let 127.0.0.2 in again")
        story.shot("banned")
        ui.click(back)
        ui.wait(lambda: "Nobody is banned" in names(ui), "the list to be empty")
        ui.keys("Escape")
        again, answer = viewer(story)
        assert " 200 " in answer, answer

        ui.click(ui.find(None, "More about viewers"))
        ui.click(ui.find("menu item", re.compile("^Save")))
        path = os.path.join(FILES, "who.csv")
        ui.type_text(ui.find("text", re.compile("^_?Name")), path)
        ui.keys("Return")
        ui.wait(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the table")
        with open(path, encoding="utf-8") as table:
            lines = table.read().splitlines()
        assert len(lines) == 3 and ",banned," in lines[1] and "too loud" in lines[1], lines
        again.close()
        ui.click(ui.find("button", re.compile("^End$")))
        story.until(lambda: story.status()["air"], "off")


main()
