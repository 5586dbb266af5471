# SPDX-License-Identifier: GPL-3.0-or-later
"""A music player that plays nothing: a mock that speaks MPRIS on the session bus.

Usage: player.py NAME. Reads lines from standard input: "play ARTIST|TITLE", "pause", and says "done" after each.
"""

import sys
import threading

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

PROPERTIES = "org.freedesktop.DBus.Properties"
PLAYER = "org.mpris.MediaPlayer2.Player"


class Player(dbus.service.Object):
    status = "Stopped"
    metadata = {}

    @dbus.service.method(PROPERTIES, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        if interface != PLAYER:
            return {}
        metadata = dbus.Dictionary(self.metadata, signature="sv")
        return {"PlaybackStatus": self.status, "Metadata": metadata}

    @dbus.service.signal(PROPERTIES, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, invalidated):
        pass

    def do(self, line):
        word, _, rest = line.strip().partition(" ")
        self.status = "Playing" if word == "play" else "Paused"
        if word == "play":
            artist, _, title = rest.partition("|")
            artists = dbus.Array([artist], signature="s")
            self.metadata = {"xesam:artist": artists, "xesam:title": title}
        self.PropertiesChanged(PLAYER, self.GetAll(PLAYER), [])
        print("done", flush=True)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName("org.mpris.MediaPlayer2." + sys.argv[1], bus)
player = Player(bus, "/org/mpris/MediaPlayer2")
loop = GLib.MainLoop()


def read():
    for line in sys.stdin:
        GLib.idle_add(player.do, line)
    GLib.idle_add(loop.quit)


threading.Thread(target=read, daemon=True).start()
loop.run()
