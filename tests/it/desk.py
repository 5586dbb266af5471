# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for what the desktop of tests has not: who shows notifications, sends a computer to sleep, gives keys."""
import os
import threading

import gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

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


PORTAL = "org.freedesktop.portal.Desktop"
DESK = "/org/freedesktop/portal/desktop"
SHORTCUTS = """<node><interface name="org.freedesktop.portal.GlobalShortcuts">
<method name="CreateSession"><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
<method name="BindShortcuts"><arg type="o" direction="in"/><arg type="a(sa{sv})" direction="in"/>
<arg type="s" direction="in"/><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
<signal name="Activated"><arg type="o"/><arg type="s"/><arg type="t"/><arg type="a{sv}"/></signal>
<property name="version" type="u" access="read"/>
</interface></node>"""
ONE_SESSION = """<node><interface name="org.freedesktop.portal.Session"><method name="Close"/>
<signal name="Closed"/></interface></node>"""


class StandIn:
    """Serves names of the session bus on a thread of its own: the usual one is that of who looks at the window."""

    def __init__(self):
        ready = threading.Event()
        threading.Thread(target=self.serve, args=(ready,), daemon=True).start()
        assert ready.wait(20), "the stand-in is not there"

    def serve(self, ready):
        context = GLib.MainContext()
        context.push_thread_default()
        self.bus = Gio.DBusConnection.new_for_address_sync(
            os.environ["DBUS_SESSION_BUS_ADDRESS"],
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.begin()
        ready.set()
        GLib.MainLoop.new(context, False).run()

    def put(self, path, xml, read=None):
        return self.bus.register_object(path, Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0], self.called, read, None)

    def own(self, name):
        """Also in place of one that the bus has started meanwhile (2), but not after it (4)."""
        reply = self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                   GLib.Variant("(su)", (name, 6)), None, 0, -1, None)
        assert reply.unpack() == (1,), f"{name} is somebody else's"


class Desk(StandIn):
    """Who shows notifications, and who sends a computer to sleep."""

    def begin(self):
        self.shown, self.inhibited, self.count = {}, {}, 0
        self.put("/org/freedesktop/Notifications", NOTIFICATIONS)
        self.put("/org/gnome/SessionManager", SESSION)
        self.own("org.freedesktop.Notifications")
        self.own("org.gnome.SessionManager")

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


class Keys(StandIn):
    """A portal that gives the keys it is asked for, or refuses as somebody does who says no."""

    def begin(self):
        self.refuse, self.bound, self.closed = False, [], 0
        self.put(DESK, SHORTCUTS, lambda *_: GLib.Variant("u", 1))
        self.own(PORTAL)

    def called(self, _bus, sender, _path, _interface, method, parameters, invocation):
        if method == "Close":
            self.closed += 1
            return invocation.return_value(None)
        words = parameters.unpack()
        place = sender[1:].replace(".", "_") + "/" + words[-1]["handle_token"]
        request = f"{DESK}/request/{place}"
        invocation.return_value(GLib.Variant("(o)", (request,)))
        code, answer = 0, {}
        if method == "CreateSession":
            self.session = f"{DESK}/session/{sender[1:].replace('.', '_')}/{words[0]['session_handle_token']}"
            self.put(self.session, ONE_SESSION)
            answer["session_handle"] = GLib.Variant("s", self.session)
        elif self.refuse:
            code = 1
        else:
            self.bound = [(name, about["description"], about["preferred_trigger"]) for name, about in words[1]]
            given = [(name, {"description": GLib.Variant("s", text), "trigger_description": GLib.Variant("s", keys)})
                     for name, text, keys in self.bound]
            answer["shortcuts"] = GLib.Variant("a(sa{sv})", given)
        self.bus.emit_signal(sender, request, "org.freedesktop.portal.Request", "Response",
                             GLib.Variant("(ua{sv})", (code, answer)))
        self.peer = sender
        return None

    def press(self, name):
        self.bus.emit_signal(self.peer, DESK, "org.freedesktop.portal.GlobalShortcuts", "Activated",
                             GLib.Variant("(osta{sv})", (self.session, name, 0, {})))

    def end(self):
        """The desktop takes the keys back."""
        self.bus.emit_signal(self.peer, self.session, "org.freedesktop.portal.Session", "Closed",
                             GLib.Variant("(a{sv})", ({},)))
