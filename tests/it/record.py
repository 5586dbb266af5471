#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a recording in the window: begin, pause, go on, finish.

    record.py AERIAL SHOTS FILES     runs in the desktop of its environment; the recording goes to the folder FILES
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "bed"))
sys.dont_write_bytecode = True
from ui import UI  # noqa: E402  (the path comes first)

AERIAL, SHOTS, FILES = sys.argv[1:4]


def shot(name):
    subprocess.run(["import", "-window", "root", os.path.join(SHOTS, name + ".png")], check=True)


def recorded():
    return [os.path.join(FILES, name) for name in os.listdir(FILES) if name.endswith(".webm")]


def words(ui, what):
    """Whether a label begins like this."""
    return any((ui.label(node) or "").startswith(what) for _, node in ui.nodes())


def size():
    return sum(os.path.getsize(path) for path in recorded())


def story(app):
    ui = UI(app.pid, timeout=60)
    ui.click(ui.find("button", re.compile(r"^Record$")))
    ui.wait(lambda: size() > 200_000, "the recording to grow")
    ui.wait(lambda: words(ui, "Recording, "), "the card to say so")
    pause = ui.find("button", re.compile(r"^Pause recording "))
    ui.click(pause)
    ui.wait(lambda: words(ui, "Paused, "), "the pause to be shown")
    shot("recording-paused")
    # Still a recording: the button at the bottom finishes it.
    ui.find("button", re.compile(r"^Stop recording"))
    paused = size()
    ui.click(ui.find("button", re.compile(r"^Go on recording ")))
    ui.wait(lambda: words(ui, "Recording, "), "the card to say that it goes on")
    ui.wait(lambda: size() > paused + 200_000, "the recording to grow again")
    ui.click(ui.find("button", re.compile(r"^Stop recording")))
    ui.wait(lambda: words(ui, "Saved, "), "the recording to be finished")
    shot("recording-saved")
    assert len(recorded()) == 1, recorded()
    ui.keys("ctrl+q")


def main():
    app = subprocess.Popen([AERIAL], env=dict(os.environ, HOME=FILES))
    try:
        story(app)
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
        if app.poll() is None:
            app.kill()
            app.wait()
    probed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_packets", "-show_format", "-of", "json", recorded()[0]],
        check=True, capture_output=True)
    told = json.loads(probed.stdout)
    assert float(told["format"]["duration"]) > 1, told["format"]
    for kind, longest in (("video", 0.2), ("audio", 0.05)):
        times = [float(p["pts_time"]) for p in told["packets"] if p["codec_type"] == kind]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert 0 < min(gaps) and max(gaps) < longest, f"{kind}: a gap of {max(gaps)} s"


main()
