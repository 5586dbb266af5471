#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive a GTK 4 program's window through AT-SPI, with real pointer and key
events (xdotool under X, wayland-input under sway) where AT-SPI falls short.

As a module:
    from ui import UI
    ui = UI("demo-app.py")                 # waits for the program to appear
    ui.click(role="button", name="Go Live")
    ui.toggle(name="Stream switch", on=True)
    ui.set_text("Server URL", "http://...")     # through AT-SPI
    ui.type_text("Server URL", "http://...")    # real keys
    ui.choose("Colour", "Blue")                 # GtkDropDown / AdwComboRow
    ui.rows("Viewers")                          # [["alpha"], ["beta"], ...]
    ui.wait(lambda: ui.text("Live 1"))
As a program:
    ui.py APP tree | find ROLE NAME | click NAME | toggle NAME on|off |
          set NAME TEXT | type NAME TEXT | choose NAME ITEM | rows NAME |
          text NAME | key KEY... | drag FROM TO

Notes for GTK 4.8 (each was seen): GtkCheckButton and GtkListItem offer no
action, so they are clicked with the pointer; screen coordinates are not
supported, so window coordinates are translated here; widgets do not carry
the "showing" state, so "visible" plus a size is used; GtkSpinButton and
AdwEntryRow take text, not actions.

Debian packages: python3-gi gir1.2-atspi-2.0 at-spi2-core;
  X: xdotool x11-utils; sway: wayland-input's
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, GLib
except (ImportError, ValueError) as e:
    sys.exit(f"ui: {e}; apt install python3-gi gir1.2-atspi-2.0 at-spi2-core, and use /usr/bin/python3")

# What people say -> what AT-SPI says for GTK 4.
ROLES = {"button": "push button", "switch": "check box", "check": "check box", "entry": "text",
         "password": "password text", "dropdown": "combo box", "row": "list item", "window": "frame",
         "toggle": "push button"}


class UIError(Exception):
    pass


def run(*argv, check=True):
    if not shutil.which(argv[0]):
        package = {"xdotool": "xdotool", "xprop": "x11-utils", "xwininfo": "x11-utils",
                   "swaymsg": "sway"}.get(argv[0], argv[0])
        raise UIError(f"{argv[0]} is missing: apt install {package}")
    r = subprocess.run(argv, capture_output=True, text=True)
    if check and r.returncode:
        raise UIError(f"{' '.join(argv)}: {r.stderr.strip() or r.stdout.strip() or r.returncode}")
    return r.stdout


_size = []


def wayland(*words):
    """One command to the holder of the virtual devices (wayland-input)."""
    if words[0] == "move":
        if not _size:
            rects = [o["rect"] for o in json.loads(run("swaymsg", "-t", "get_outputs", "-r"))]
            _size.extend([max(r["x"] + r["width"] for r in rects), max(r["y"] + r["height"] for r in rects)])
        words = (*words, *_size)
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(os.path.join(os.environ["XDG_RUNTIME_DIR"], "testbed-input"))
        except (OSError, KeyError) as e:
            raise UIError(f"no pointer and keyboard ({e}): start \"wayland-input serve\"") from None
        s.sendall("\0".join(map(str, words)).encode())
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while part := s.recv(4096):
            answer += part
    if answer != b"ok":
        raise UIError(answer.decode() or "the holder of the devices ended")


class UI:
    def __init__(self, app, timeout=60):
        self.wayland = bool(os.environ.get("SWAYSOCK")) and not os.environ.get("DISPLAY")
        self.timeout = timeout
        Atspi.init()
        Atspi.set_timeout(10000, 20000)
        self.app = self.wait(lambda: self._app(app), f"program {app!r} on the accessibility bus")
        self.pid = self.app.get_process_id()

    # -- looking ---------------------------------------------------------
    def _app(self, wanted):
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            try:
                a = desktop.get_child_at_index(i)
                if a is not None and (a.get_process_id() == wanted if isinstance(wanted, int)
                                      else a.get_name() == wanted) and a.get_child_count():
                    return a
            except GLib.Error:
                pass
        return None

    def wait(self, test, what="condition", timeout=None):
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            # Let AT-SPI's own events in, or its cache grows stale.
            while GLib.MainContext.default().iteration(False):
                pass
            try:
                got = test()
            except GLib.Error:
                got = None
            if got:
                return got
            if time.monotonic() > end:
                raise UIError(f"{what}: not found in time")
            time.sleep(0.05)

    def nodes(self, root=None):
        """Every accessible below root, depth first, as (depth, node)."""
        stack = [(0, root or self.app)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            try:
                kids = [node.get_child_at_index(i) for i in range(node.get_child_count())]
            except GLib.Error:
                continue
            stack += [(depth + 1, k) for k in reversed(kids) if k is not None]

    def states(self, node):
        node.clear_cache_single() if hasattr(node, "clear_cache_single") else node.clear_cache()
        return {s.value_nick for s in node.get_state_set().get_states()}

    def label(self, node):
        """Name, or text, of a node."""
        name = node.get_name() or ""
        if not name and node.get_text_iface():
            name = Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node))
        return name

    def matches(self, node, role, name):
        # Newer systems call some roles by other names: a push button is a button there.
        names = {role, ROLES.get(role, role), *(["button", "toggle button"] if role == "toggle" else [])}
        if role and node.get_role_name() not in names:
            return False
        if name is None:
            return True
        mine = self.label(node)
        return bool(name.search(mine)) if isinstance(name, re.Pattern) else mine == name

    def find_all(self, role=None, name=None, within=None):
        found = []
        for _, n in self.nodes(within):
            try:
                if self.matches(n, role, name) and "visible" in self.states(n):
                    found.append(n)
            except GLib.Error:
                pass
        return found

    def find(self, role=None, name=None, within=None, nth=0, timeout=None):
        def look():
            got = self.find_all(role, name, within)
            return got[nth] if len(got) > nth else None
        return self.wait(look, f"{role or 'anything'} named {name!r}", timeout)

    def text(self, name, role="label"):
        """The label of that name, or None (no waiting)."""
        got = self.find_all(role, name)
        return self.label(got[0]) if got else None

    def content(self, target):
        """Text of an entry or label."""
        n = self.node(target)
        return Atspi.Text.get_text(n, 0, Atspi.Text.get_character_count(n))

    def rows(self, target):
        """Each row of a list as the texts of its labels (only rows that
        exist as widgets: a long GtkListView makes those near the view)."""
        lst = self.node(target, "list")
        out = []
        for i in range(lst.get_child_count()):
            row = lst.get_child_at_index(i)
            out.append([self.label(n) for _, n in self.nodes(row) if n.get_role_name() == "label"])
        return out

    def tree(self):
        lines = []
        for depth, n in self.nodes():
            try:
                a = self.actions(n)
                keep = self.states(n) & {"checked", "pressed", "focused", "selected", "expanded", "active"}
                off = "" if "sensitive" in self.states(n) or depth == 0 else " INSENSITIVE"
                lines.append("  " * depth + f"{n.get_role_name()} {self.label(n)!r}"
                             + (f" {sorted(keep)}" if keep else "")
                             + (f" actions={a}" if a and n.get_role_name() != "label" else "") + off)
            except GLib.Error as e:
                lines.append("  " * depth + f"(gone: {e.message})")
        return "\n".join(lines)

    def node(self, target, role=None):
        if isinstance(target, Atspi.Accessible):
            return target
        if role is None:   # a control, rather than its caption
            got = self.wait(lambda: self.find_all(None, target), f"anything named {target!r}")
            return ([g for g in got if g.get_role_name() not in ("label", "list item", "panel", "filler")]
                    or got)[0]
        return self.find(role, target)

    # -- AT-SPI actions --------------------------------------------------
    def actions(self, node):
        if not node.get_action_iface():
            return []
        return [Atspi.Action.get_action_name(node, i) for i in range(Atspi.Action.get_n_actions(node))]

    def act(self, node, *names):
        """Do the first of these actions that the node has."""
        have = self.actions(node)
        for name in names:
            if name in have:
                return Atspi.Action.do_action(node, have.index(name))
        return False

    def click(self, target=None, role=None, name=None, pointer=False):
        node = self.node(target) if target is not None else self.find(role, name)
        if not pointer:
            if self.act(node, "click", "toggle", "activate"):
                return node
            # GtkMenuButton, GtkDropDown: the button is inside.
            for _, inner in self.nodes(node):
                if inner.get_role_name() == "push button" and self.act(inner, "click"):
                    return node
        self.pointer_click(node)
        return node

    def checked(self, target):
        return bool({"checked", "pressed"} & self.states(self.node(target)))

    def toggle(self, target=None, on=True, role=None, name=None):
        node = self.node(target) if target is not None else (
            self.find(role, name) if role else self.node(name))
        if self.checked(node) != on:
            self.click(node)
            self.wait(lambda: self.checked(node) == on, "the toggle to change", 5)
        return node

    def set_text(self, target, text):
        node = self.node(target)
        if not node.get_editable_text_iface():
            raise UIError(f"{node.get_role_name()} {node.get_name()!r} has no editable text")
        Atspi.EditableText.set_text_contents(node, text)
        return node

    def set_value(self, target, value):
        node = self.node(target)
        Atspi.Value.set_current_value(node, value)
        return node

    def value(self, target):
        return Atspi.Value.get_current_value(self.node(target))

    def choose(self, target, item):
        """Choose an item of a GtkDropDown or AdwComboRow."""
        node = self.node(target, "combo box")
        self.click(node)

        def opened():
            # The open list is the one whose row has the keyboard focus.
            for lst in self.find_all("list", None, node):
                texts = [r[0] if r else "" for r in self.rows(lst)]
                if item in texts and any("focused" in self.states(lst.get_child_at_index(i))
                                         for i in range(lst.get_child_count())):
                    return texts
            return None
        texts = self.wait(opened, f"item {item!r} of {target!r}", 5)
        self.keys("Home", *["Down"] * texts.index(item), "Return")
        return node

    # -- real input ------------------------------------------------------
    def origin(self, node):
        """Screen position of the window's AT-SPI origin."""
        top = node
        while top.get_parent() is not None and top.get_parent().get_role_name() != "application":
            top = top.get_parent()
        title = top.get_name()
        if self.wayland:
            def walk(t):
                yield t
                for k in t.get("nodes", []) + t.get("floating_nodes", []):
                    yield from walk(k)
            wins = [w for w in walk(json.loads(run("swaymsg", "-t", "get_tree", "-r")))
                    if w.get("pid") == self.pid and w.get("app_id")]
            wins = [w for w in wins if w.get("name") == title] or wins
            if not wins:
                raise UIError(f"no window of process {self.pid}")
            w = wins[0]
            return (w["rect"]["x"] + w["window_rect"]["x"], w["rect"]["y"] + w["window_rect"]["y"])
        ids = run("xdotool", "search", "--onlyvisible", "--pid", str(self.pid), check=False).split()
        titled = [i for i in ids if run("xdotool", "getwindowname", i, check=False).strip() == title]
        if not (titled or ids):
            raise UIError(f"no visible window of process {self.pid}")
        wid = (titled or ids)[-1]
        info = run("xwininfo", "-id", wid)
        x = int(re.search(r"Absolute upper-left X:\s*(-?\d+)", info)[1])
        y = int(re.search(r"Absolute upper-left Y:\s*(-?\d+)", info)[1])
        m = re.search(r"= (\d+), (\d+), (\d+), (\d+)", run("xprop", "-id", wid, "_GTK_FRAME_EXTENTS", check=False))
        return (x + int(m[1]), y + int(m[3])) if m else (x, y)

    def position(self, target):
        """Screen coordinates of a node's centre."""
        node = self.node(target)
        e = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
        if e.width <= 0 or e.height <= 0:
            raise UIError(f"{node.get_role_name()} {node.get_name()!r} has no size")
        x, y = self.origin(node)
        return x + e.x + e.width // 2, y + e.y + e.height // 2

    def move(self, x, y):
        if self.wayland:
            wayland("move", x, y)
        else:
            run("xdotool", "mousemove", str(x), str(y))

    def button(self, what, n=1):
        if self.wayland:
            wayland(what, n)
        else:
            run("xdotool", "mousedown" if what == "down" else "mouseup", str(n))

    def pointer_click(self, target, n=1):
        x, y = self.position(target)
        self.move(x, y)
        time.sleep(0.05)
        self.button("down", n)
        time.sleep(0.03)
        self.button("up", n)
        time.sleep(0.05)

    def drag(self, source, target, steps=12):
        """Drag with the pointer; source and target are nodes, names or (x, y)."""
        at = [p if isinstance(p, tuple) else self.position(p) for p in (source, target)]
        (x0, y0), (x1, y1) = at
        self.move(x0, y0)
        time.sleep(0.1)
        self.button("down")
        time.sleep(0.1)
        for i in range(1, steps + 1):
            self.move(x0 + (x1 - x0) * i // steps, y0 + (y1 - y0) * i // steps)
            time.sleep(0.03)
        time.sleep(0.2)
        self.button("up")

    def keys(self, *names):
        """Key presses by X keysym name, e.g. "Return", "ctrl+a"."""
        for name in names:
            if self.wayland:
                wayland("key", name)
            else:
                run("xdotool", "key", "--clearmodifiers", name)
            time.sleep(0.03)

    def type_text(self, target, text):
        """Click into an entry, replace what it holds with typed keys."""
        node = self.node(target)
        self.pointer_click(node)
        self.keys("ctrl+a", "BackSpace")
        if self.wayland:
            wayland("type", text)
        else:
            run("xdotool", "type", "--clearmodifiers", "--delay", "5", "--", text)
        return node


def main(argv):
    if len(argv) < 2:
        sys.exit(__doc__)
    app, what, *rest = argv
    ui = UI(int(app) if app.isdigit() else app)
    if what == "tree":
        print(ui.tree())
    elif what == "find":
        for n in ui.find_all(rest[0] or None, rest[1] if len(rest) > 1 else None):
            print(n.get_role_name(), repr(ui.label(n)), sorted(ui.states(n)))
    elif what == "click":
        ui.click(rest[0])
    elif what == "toggle":
        ui.toggle(rest[0], on=rest[1] == "on")
    elif what == "set":
        ui.set_text(rest[0], rest[1])
    elif what == "type":
        ui.type_text(rest[0], rest[1])
    elif what == "choose":
        ui.choose(rest[0], rest[1])
    elif what == "rows":
        print(json.dumps(ui.rows(rest[0])))
    elif what == "text":
        print(ui.content(rest[0]))
    elif what == "key":
        ui.keys(*rest)
    elif what == "drag":
        ui.drag(rest[0], rest[1])
    else:
        sys.exit(f"ui: unknown command {what}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UIError, GLib.Error) as e:
        sys.exit(f"ui: {e}")
