# SPDX-License-Identifier: GPL-3.0-or-later
"""What stories about the window are told with: the program, its status, pictures of the screen."""
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BED = os.path.join(os.path.dirname(HERE), "bed")
sys.path.insert(0, BED)
sys.dont_write_bytecode = True
from ui import UI, UIError, run  # noqa: E402  (the path comes first)

TOKEN = "the-token-of-this-story"
ADDRESS = re.compile(r"https?://[\w.\[\]:-]+")


def kept(name):
    """What stands in a file that the window keeps."""
    with open(os.path.join(os.environ["XDG_CONFIG_HOME"], "aerial", name)) as file:
        return file.read()


class Watcher(threading.Event):
    """Takes the stream until it ends."""

    def __init__(self, address, agent):
        super().__init__()
        ask = urllib.request.Request(address + "/live.webm", headers={"User-Agent": agent})
        self.stream = urllib.request.urlopen(ask, timeout=20)
        self.stream.read(1000)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while self.stream.read(65536):
                pass
        except (OSError, ValueError, http.client.HTTPException):
            pass
        self.set()

    def close(self):
        self.stream.close()


class Story:
    """The window of a running program; ends it, and pictures what went wrong."""

    def __init__(self, aerial, shots, files=()):
        self.shots = shots
        self.app = subprocess.Popen([aerial, *files], env={**os.environ, "AERIAL_API_TOKEN": TOKEN})
        self.others = []

    def __enter__(self):
        try:
            self.ui = UI(self.app.pid, timeout=60)
            self.ui.find("button", re.compile("^Go live"))
            # A key that is pressed before would reach nobody.
            self.ui.wait(self._active, "the window to have the focus")
            self.address = self.ui.wait(self._address, "the address")
            # Beside what the window is made of stands what passes.
            self.overlay = self.ui.find("alert", "AerialNoticeBar").get_parent().get_parent()
        except BaseException:
            # Nobody leaves what was not entered.
            self._end()
            raise
        return self

    def _end(self):
        for process in [*self.others, self.app]:
            if process.poll() is None:
                process.kill()
                process.wait()

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                code = self._quit()
                assert code == 0, f"it ended with {code}"
                return
            self.shot("failed")
            print(self.ui.tree(), file=sys.stderr)
        finally:
            self._end()

    def _quit(self):
        """Leaves by the keyboard. A key that is pressed while the window manager moves the focus reaches nobody."""
        for _ in range(3):
            self.ui.keys("ctrl+q")
            try:
                return self.app.wait(15)
            except subprocess.TimeoutExpired:
                self.shot("still there")
        raise AssertionError("it does not end")

    def _active(self):
        windows = [self.ui.app.get_child_at_index(i) for i in range(self.ui.app.get_child_count())]
        return any("active" in self.ui.states(n) for n in windows)

    def _address(self):
        for _, node in self.ui.nodes():
            found = ADDRESS.match(self.ui.label(node) or "")
            if found:
                return found[0]
        return None

    def serving(self):
        """The address of the window that is there now: its engine may have another port than the one before."""
        address = self._address()
        if address is None:
            return None
        ask = urllib.request.Request(address + "/api/v1/status", headers={"Authorization": "Bearer " + TOKEN})
        try:
            with urllib.request.urlopen(ask, timeout=5):
                return address
        except OSError:
            return None

    def start_again(self, page):
        """By the button in the preferences, which show this page."""
        # Those of the other pages are in the tree too.
        nth = ["Picture", "Network"].index(page)
        self.ui.click(self.ui.find("button", "Start again now", nth=nth))
        self.ui.wait(lambda: not self.ui.find_all("dialog", "Preferences"), "the window to go")
        self.address = self.ui.wait(self.serving, "the other engine")

    def open_preferences(self):
        self.ui.keys("ctrl+comma")
        return self.ui.find("dialog", "Preferences")

    def shot(self, name):
        """A picture of the whole screen, for people to look at."""
        path = os.path.join(self.shots, name + ".png")
        tool = ["grim", path] if self.ui.wayland else ["import", "-window", "root", path]
        subprocess.run(tool, check=True)

    def place(self, title, x, y):
        """Move a window of this title."""
        ids = self.ui.wait(lambda: run("xdotool", "search", "--onlyvisible", "--name", title, check=False).split(),
                           f"a window called {title}")
        for wid in ids:
            run("xdotool", "windowmove", "--sync", wid, str(x), str(y))
        return ids[0]

    # -- what the engine says ------------------------------------------------
    def status(self):
        ask = urllib.request.Request(self.address + "/api/v1/status", headers={"Authorization": "Bearer " + TOKEN})
        with urllib.request.urlopen(ask, timeout=10) as answer:
            return json.load(answer)

    def sources(self, kind=None):
        return [s for s in self.status()["sources"] if kind in (None, s["kind"])]

    def specs(self, kind="video"):
        return [s["spec"] for s in self.sources(kind)]

    def shown(self):
        return [s["spec"] for s in self.sources("video") if s["shown"]]

    def until(self, what, wanted, timeout=60):
        """Wait until `what()` equals `wanted`."""
        seen = []

        def equal():
            seen[:] = [what()]
            return seen[0] == wanted
        try:
            self.ui.wait(equal, "it", timeout)
        except Exception:
            raise AssertionError(f"{seen[0]!r} instead of {wanted!r}") from None

    def watch(self, agent="Python-urllib"):
        """A viewer who takes the stream; the event tells when that has ended, and `close` ends it."""
        return Watcher(self.address, agent)

    def pressed(self, name):
        return self.ui.wait(lambda: "pressed" in self.ui.states(self.ui.find("button", name)), f"{name} to be pressed")

    def still(self, node):
        """Where a node is, once it has stopped moving and no popover is in the way of the pointer."""
        seen = []

        def same():
            try:
                seen.append(self.ui.position(node))
            except UIError:
                # What has just been opened has no size yet.
                return False
            open_popover = self.ui.find_all("button", "Move up") or self.ui.find_all("menu item")
            return not open_popover and len(seen) > 4 and len(set(seen[-4:])) == 1
        self.ui.wait(same, "it to stand still")
        return seen[-1]

    def passing(self, text):
        """A message that comes and goes. It is looked for only where such are shown: looking through the whole window
        may take a busy computer longer than it stays."""
        wanted = re.compile(text)
        self.ui.wait(lambda: any(wanted.search(self.ui.label(n)) for n in self._passing()), f"a message like {text!r}")

    def _passing(self):
        others = [self.overlay.get_child_at_index(i) for i in range(1, self.overlay.get_child_count())]
        return [n for o in others if o is not None for _, n in self.ui.nodes(o)]

    def undo(self):
        """Press the button of a message that passes."""
        def button():
            return next((n for n in self._passing() if self.ui.matches(n, "button", re.compile("^Undo"))), None)
        self.ui.click(self.ui.wait(button, "a message with Undo"))

    def said(self, text):
        """A sentence that is shown, anywhere."""
        return self.ui.find(None, re.compile(text))
