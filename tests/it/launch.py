#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the desktop file: started by the session bus with a film, asked to go live and to record, given a picture by
another `aerial`, started anew with a profile.

    launch.py AERIAL SHOTS FILES     runs in the desktop of its environment, where Aerial is installed in AERIAL_TEST_PREFIX
"""
import os
import select
import subprocess
import sys

from story import TOKEN, Story
from ui import UI
from gi.repository import Gio, GLib

SHOTS, FILES = sys.argv[2:4]
ID = "io.github.aerial_live.Aerial"
PREFIX = os.environ["AERIAL_TEST_PREFIX"]
PROGRAM = os.path.join(PREFIX, "bin/aerial")
DESKTOP = os.path.join(PREFIX, "share/applications", ID + ".desktop")
PROFILE = """video = ["file:%s"]
audio = ["tone"]
size = "640x360"
icecast = ["icecast://source:hackme@127.0.0.1:9/live.webm"]
record = ["%s"]
"""


class Activated:
    """A process that the session bus has started."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def poll(self):
        return 0 if select.select([self.fd], [], [], 0)[0] else None

    def kill(self):
        os.kill(self.pid, 9)

    def wait(self, timeout=None):
        if not select.select([self.fd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(ID, timeout)
        return 0


class Launched(Story):
    """The window of the program that is installed."""

    def __init__(self, launch, by_bus):
        self.shots, self.others = SHOTS, []
        launch()
        pid = UI.wait(Waiting(), owner, "the name on the bus")
        self.app = Activated(pid)
        assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath(PROGRAM), "another program than the installed one"
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            assert (b"--gapplication-service" in line.read()) == by_bus, "not started the way it should be"


class Waiting:
    """Time for `UI.wait` before there is a window."""
    timeout = 60


def bus(method, arguments):
    return session.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", method, arguments,
                             None, Gio.DBusCallFlags.NONE, 20000, None)


def owner():
    return bus("GetConnectionUnixProcessID", GLib.Variant("(s)", (ID,)))[0]


def by_bus(*files):
    """As file managers and the desktop's overview do, where the desktop file lets them."""
    entry.launch([Gio.File.new_for_path(path) for path in files])


def by_command(*files):
    """As launchers do that know only `Exec=`."""
    subprocess.run(["gio", "launch", DESKTOP, *files], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
                   timeout=60)


def another(*arguments):
    """Another `aerial`, which hands over what it was told and ends."""
    subprocess.run([PROGRAM, *arguments], check=True, timeout=60)


def bitrate(ui):
    return ui.find("spin button", "Picture bitrate").get_value_iface().get_current_value()


def made(name, *options):
    path = os.path.join(FILES, name)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=15", *options, path], check=True)
    return path


session = Gio.bus_get_sync(Gio.BusType.SESSION)
os.environ["AERIAL_API_TOKEN"] = TOKEN
# As desktops do for all that the bus is to start. Not all of that ends with this story: it does not get its mark.
shared = {name: value for name, value in os.environ.items() if name != "AERIAL_TEST_RUN"}
bus("UpdateActivationEnvironment", GLib.Variant("(a{ss})", (shared,)))
film = made("a film.webm", "-t", "2", "-c:v", "libvpx", "-deadline", "realtime")
picture = made("picture.png", "-frames:v", "1")
recording = os.path.join(FILES, "show.mkv")
profile = os.path.join(FILES, "show.aerial.toml")
with open(profile, "w") as f:
    f.write(PROFILE % (picture, recording))
entry = Gio.DesktopAppInfo.new(ID + ".desktop")
assert entry.get_filename() == DESKTOP, "the desktop does not find it"
for path, kind in [(film, "video/webm"), (picture, "image/png"), (profile, "application/x-aerial-profile")]:
    found = Gio.File.new_for_path(path).query_info("standard::content-type", 0).get_content_type()
    assert found == kind, f"{path} is taken for {found}"
    assert ID in [app.get_id().removesuffix(".desktop") for app in Gio.AppInfo.get_all_for_type(kind)], kind

with Launched(lambda: by_bus(film), True) as story:
    # The film, and no camera beside it.
    story.until(story.specs, ["file:" + film])
    assert story.status()["air"] == "off"
    entry.launch_action("go-live")
    story.until(lambda: story.status()["air"], "live")
    entry.launch_action("record")
    story.until(lambda: [o["kind"] for o in story.status()["outputs"]], ["record"])
    another(picture)
    story.until(story.specs, ["file:" + film, "file:" + picture])
    # Live already: it stays so.
    another("--go-live")
    another(profile)
    story.said("then open show.aerial.toml again")
    assert story.status()["air"] == "live"
    assert story.specs() == ["file:" + film, "file:" + picture]
    story.shot("launched")
    story.ui.click("End")
    story.until(lambda: story.status()["air"], "off")
    story.ui.click("Stop recording")
    story.ui.find("button", "Record")

with Launched(lambda: by_command(profile), False) as story:
    story.until(story.specs, ["file:" + picture])
    story.until(lambda: bitrate(story.ui), 2500)
    assert story.specs("audio") == ["tone"]
    outputs = {o["kind"]: o["state"] for o in story.status()["outputs"]}
    assert outputs == {"icecast": "off", "record": "off"}, outputs
    assert not os.path.exists(recording), "recorded without being asked"
    story.shot("launched with a profile")
    # Opened while it runs: what the profile says is changed, and the outputs are not there twice.
    with open(profile, "a") as f:
        f.write('video_bitrate = "900k"\n')
    by_command(profile)
    story.until(lambda: bitrate(story.ui), 900)
    assert len(story.status()["outputs"]) == 2
    by_bus(film)
    story.until(lambda: "file:" + film in story.specs(), True)
print("ended as asked")
