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
import threading
import urllib.request

import gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from story import TOKEN, Story  # noqa: E402

AERIAL, SHOTS, FILES = sys.argv[1:4]
CONFIG = os.path.join(os.environ["XDG_CONFIG_HOME"], "aerial")

NOTIFICATIONS = """<node><interface name="org.freedesktop.Notifications">
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
<arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
</interface></node>"""
SESSION = """<node><interface name="org.gnome.SessionManager">
<method name="RegisterClient"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="o" direction="out"/></method>
<method name="UnregisterClient"><arg type="o" direction="in"/></method>
<method name="Inhibit"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="u" direction="in"/><arg type="u" direction="out"/></method>
<method name="Uninhibit"><arg type="u" direction="in"/></method>
</interface></node>"""


class Desk:
    """Stands in for those who show notifications and who send a computer to sleep."""

    def __init__(self):
        self.shown, self.inhibited, self.count = {}, {}, 0
        ready = threading.Event()
        threading.Thread(target=self.serve, args=(ready,), daemon=True).start()
        assert ready.wait(20), "the stand-ins are not there"

    def serve(self, ready):
        # The usual context is that of the one who looks at the window.
        context = GLib.MainContext()
        context.push_thread_default()
        self.bus = Gio.DBusConnection.new_for_address_sync(
            os.environ["DBUS_SESSION_BUS_ADDRESS"],
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.own("org.freedesktop.Notifications", "/org/freedesktop/Notifications", NOTIFICATIONS)
        self.own("org.gnome.SessionManager", "/org/gnome/SessionManager", SESSION)
        ready.set()
        GLib.MainLoop.new(context, False).run()

    def own(self, name, path, xml):
        self.bus.register_object(path, Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0], self.called, None, None)
        reply = self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                   GLib.Variant("(su)", (name, 4)), None, 0, -1, None)
        assert reply.unpack() == (1,), f"{name} is somebody else's"

    def called(self, _bus, _sender, _path, _interface, method, parameters, invocation):
        words = parameters.unpack()
        answer = None
        self.count += 1
        if method == "Notify":
            number = words[1] or self.count
            self.shown[number] = (words[3], words[4], words[5])
            answer = GLib.Variant("(u)", (number,))
        elif method == "CloseNotification":
            self.shown.pop(words[0], None)
        elif method == "GetCapabilities":
            answer = GLib.Variant("(as)", (["actions", "body"],))
        elif method == "RegisterClient":
            answer = GLib.Variant("(o)", ("/org/gnome/SessionManager/Client1",))
        elif method == "Inhibit":
            self.inhibited[self.count] = words
            answer = GLib.Variant("(u)", (self.count,))
        elif method == "Uninhibit":
            self.inhibited.pop(words[0], None)
        invocation.return_value(answer)

    def titles(self):
        return [title for title, _, _ in self.shown.values()]

    def press(self, title, action):
        """Press a button of a notification."""
        number, label = next((n, a) for n, (t, _, actions) in self.shown.items() if t == title
                             for a, name in zip(actions[::2], actions[1::2]) if action in (a, name))
        self.bus.emit_signal(None, "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "ActionInvoked",
                             GLib.Variant("(us)", (number, label)))


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


def open_preferences(story):
    story.ui.keys("ctrl+comma")
    window = story.ui.find("dialog", "Preferences")
    story.shot("preferences")
    return window


def serving(story):
    """The address of the window that is there now: its engine may have another port than the one before."""
    address = story._address()
    if address is None:
        return None
    ask = urllib.request.Request(address + "/api/v1/status", headers={"Authorization": "Bearer " + TOKEN})
    try:
        with urllib.request.urlopen(ask, timeout=5):
            return address
    except OSError:
        return None


def kept(name):
    with open(os.path.join(CONFIG, name)) as file:
        return file.read()


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
    window = open_preferences(story)
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
    window = open_preferences(story)
    ui.click(ui.find("page tab", "Picture and network", window))
    ui.choose("Size", "640 × 360")
    story.until(lambda: 'size = "640x360"' in kept(os.path.join("profiles", "default.toml")), True)
    ui.click(ui.find("button", "Start again now"))
    ui.wait(lambda: not ui.find_all("dialog", "Preferences"), "the window to go")
    story.address = ui.wait(lambda: serving(story), "the other engine")
    ui.click(ui.find("button", "Go live"))
    ui.find("status bar", "LIVE")
    watching = story.watch()
    story.until(lambda: [e["width"] for e in story.status()["encoders"] if e["width"]], [640])
    watching.close()
    ui.click(ui.find("button", "End"))
    ui.find("button", "Go live")
