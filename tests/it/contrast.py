#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of who sees little: every text of the window stands out from what is behind it, in each look.

    contrast.py AERIAL SHOTS FILES [LOOK...]     runs in a desktop of X11 of 2560x2560

A picture of the screen is taken, and each text that AT-SPI tells of is looked up in it. Everything is drawn at twice
its size: then every stroke of a letter is at its full colour somewhere. How much is enough is what WCAG 2.1 says in
1.4.3. What cannot be used now is left out, as it is there.
"""
import collections
import io
import os
import re
import socket
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw

from story import Story
from ui import Atspi, GLib, UIError, run

AERIAL, SHOTS, FILES = sys.argv[1:4]
LOOKS = {
    "light": {},
    "dark": {"ADW_DEBUG_COLOR_SCHEME": "prefer-dark"},
    "high contrast": {"ADW_DEBUG_HIGH_CONTRAST": "1"},
}
SCALE = 2
# So much is enough, for letters of the usual size and for large ones: those of 18 points, or of 14 if bold. In pixels
# that is this.
ENOUGH, ENOUGH_LARGE = 4.5, 3.0
LARGE, LARGE_BOLD = 24, 19
# What is read, and how much of it must be seen: what scrolls may show no more than an edge of it.
READ = ("label", "heading", "link", "text", "password text", "spin button", "level bar")
LEAST = 11
# The level meter writes below its bars, which end here.
BARS = 18
# Colours that are no more vivid than this are grey to us.
GREY = 32
# A colour of fewer points than this is not that of a text.
POINTS = 4
# What is too pale may just have moved while the picture was taken: it is looked at so many times.
TIMES = 4

Text = collections.namedtuple("Text", "name node box view large")
Seen = collections.namedtuple("Seen", "ratio front back")


# -- colours ---------------------------------------------------------------------
def luminance(colour):
    def linear(part):
        part /= 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
    red, green, blue = map(linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def vividness(colour):
    return max(colour) - min(colour)


def is_grey(colour):
    return vividness(colour) < GREY


def measure(picture):
    """How a text stands out in this picture of it. What is there most is behind it; the letters are what differs most
    from that, for all else is a mixture of both. Letters of a colour among grey ones, such as those of a link, count
    by themselves, and so do grey ones among those."""
    colours = picture.getcolors(picture.width * picture.height)
    back = max(colours)[1]
    fronts = sorted((contrast(colour, back), colour) for count, colour in colours if count >= POINTS and colour != back)
    if not fronts:
        return Seen(1.0, back, back)
    best = fronts[-1]
    if is_grey(back):
        others = [front for front in fronts if is_grey(front[1]) != is_grey(best[1])]
        if not is_grey(best[1]):
            # A little of a colour on grey is grey as well.
            part = min(1, 1.2 * GREY / vividness(best[1]))
            mixture = [b + (f - b) * part for f, b in zip(best[1], back)]
            others = [front for front in others if front[0] > contrast(mixture, back)]
        best = min([best, *others[-1:]])
    return Seen(*best, back)


def is_enough(seen, large):
    return seen.ratio >= (ENOUGH_LARGE if large else ENOUGH)


def drawn(back, *words):
    """A picture of such words in such colours."""
    picture = Image.new("RGB", (240, 30), back)
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "1"
    for x, (text, colour) in zip((10, 100), words):
        draw.text((x, 8), text, fill=colour)
    # Drawn at five times its size and brought down to two fifths of that, its edges are soft.
    return picture.resize((1200, 150), Image.NEAREST).resize((480, 60), Image.BILINEAR)


def prove():
    """What is too pale is found, and what is just enough is not."""
    for front, back, ratio, small, large in (
            ("#999999", "#ffffff", 2.85, False, False), ("#767676", "#ffffff", 4.54, True, True),
            ("#777777", "#ffffff", 4.48, False, True), ("#949494", "#ffffff", 3.03, False, True),
            ("#ffffff", "#3584e4", 3.77, False, True), ("#1c71d8", "#ffffff", 4.77, True, True),
            ("#5e5e5e", "#242424", 2.39, False, False), ("#78aeed", "#353535", 5.30, True, True),
            ("#ffffff", "#ffffff", 1.0, False, False)):
        seen = measure(drawn(back, ("Words", front)))
        told = f"{front} on {back}: {seen}"
        assert abs(seen.ratio - ratio) < 0.01, told
        assert (is_enough(seen, False), is_enough(seen, True)) == (small, large), told
    # A pale link in good words, and a good one in pale words.
    seen = measure(drawn("#ffffff", ("See also", "#333333"), ("there", "#62a0ea")))
    assert abs(seen.ratio - 2.71) < 0.01, seen
    seen = measure(drawn("#ffffff", ("See also", "#999999"), ("there", "#1a5fb4")))
    assert abs(seen.ratio - 2.85) < 0.01, seen


# -- where texts are ---------------------------------------------------------------
class Box(collections.namedtuple("Box", "left top right bottom")):
    """A rectangle."""

    def within(self, other):
        return Box(max(self.left, other.left), max(self.top, other.top),
                   min(self.right, other.right), min(self.bottom, other.bottom))

    def size(self):
        return self.right - self.left, self.bottom - self.top


def extents(node):
    e = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
    return Box(e.x, e.y, e.x + e.width, e.y + e.height)


def is_large(node):
    told = Atspi.Text.get_default_attributes(node) if node.get_text_iface() else {}
    size, weight = float(told.get("size", 0)), float(told.get("weight", 400))
    return size >= LARGE or (weight >= 700 and size >= LARGE_BOLD)


def texts(ui, root):
    """What can be read below this node, with the part that can be seen of each; what is not to be used is left out."""
    found, shown, count = [], set(), 0
    stack = [(root, extents(root), ())]
    while stack:
        node, view, pages = stack.pop()
        try:
            # What is one page of several has no place of its own, or is in what squeezes.
            placed = node.get_component_iface() is not None
            if not placed or node.get_parent().get_name() == "AdwSqueezer":
                count += 1
                pages += (count,)
            part = extents(node).within(view) if placed else view
            if min(part.size()) <= 0 or not {"visible", "sensitive"} <= ui.states(node):
                continue
            role = node.get_role_name()
            if role in READ:
                text, is_hit = text_of(root, node, view)
                if text is not None:
                    found.append((text, pages))
                    shown.update(pages if is_hit else ())
            inner = [node.get_child_at_index(i) for i in range(node.get_child_count())]
        except GLib.Error:
            # It has just gone.
            continue
        # Only what scrolls hides a part of what is in it; a popover is beside what it belongs to.
        view = part if role == "scroll pane" else view
        stack += [(child, view, pages) for child in reversed(inner) if child is not None and not is_popover(child)]
    # A page is there if something of it can be hit.
    return [text for text, pages in found if shown.issuperset(pages)]


def text_of(root, node, view):
    """What can be read of a node through this view, or nothing; and whether it can be hit."""
    try:
        box = extents(node).within(view)
        if node.get_role_name() == "level bar":
            box = box._replace(top=box.top + BARS)
        if min(box.size()) < LEAST or not written(node):
            return None, False
        hit = Atspi.Component.get_accessible_at_point(root, (box.left + box.right) // 2, (box.top + box.bottom) // 2,
                                                      Atspi.CoordType.WINDOW)
        # What cannot be clicked is not hit itself, but what it is in, or nothing. Else something is over it.
        is_hit = hit is not None and related(hit, node)
        if is_hit or hit is None or related(node, hit):
            return Text(written(node), node, box, view, is_large(node)), is_hit
    except GLib.Error:
        pass
    return None, False


def written(node):
    """The text of a node, which may have another name."""
    if not node.get_text_iface():
        return node.get_name()
    words = Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node)).strip()
    return words or (node.get_attributes() or {}).get("placeholder-text", "")


def is_popover(node):
    return node.get_name() in ("GtkPopover", "GtkPopoverMenu")


def related(node, above):
    while node is not None:
        if node == above:
            return True
        node = node.get_parent()
    return False


# -- the screen ----------------------------------------------------------------------
def screen():
    """A picture of all of it."""
    done = subprocess.run(["import", "-window", "root", "-depth", "8", "ppm:-"], check=True, capture_output=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def corner(ui, root):
    """Where on the screen the points of this window, or popover, are counted from."""
    box = extents(root)
    width, height = box.size()
    places = re.findall(r"(\d+)x(\d+)\+-?\d+\+-?\d+ +\+(-?\d+)\+(-?\d+)$", run("xwininfo", "-root", "-tree"), re.M)
    # Without a compositor there are no shadows, and a border is as wide on all sides.
    for wide, high, x, y in (map(int, place) for place in places):
        more = wide - width * SCALE
        if more == high - height * SCALE and 0 <= more <= 12 * SCALE:
            return x + more // 2 - box.left * SCALE, y + more // 2 - box.top * SCALE
    raise UIError(f"no window of {width}x{height}")


class Reader:
    """Reads what is on the screen, page by page."""

    def __init__(self, look):
        self.look, self.count, self.lowest, self.faults = look, 0, {}, []

    def read(self, ui, page, root):
        """Every text of a window, or popover."""
        read, told = [], texts(ui, root)
        for _ in range(TIMES):
            seen = self.look_at(ui, root, told)
            pale = [one for one in seen if not is_enough(one[1], one[0].large)]
            read += [one for one in seen if one not in pale]
            # What has stood out once does so.
            again = [text_of(root, text.node, text.view)[0] for text, _, _ in pale]
            told = [text for text in again if text is not None]
            if not told:
                pale = []
                break
        read += pale
        assert read, f"{page}: there is nothing to read"
        self.count += len(read)
        for text, seen, _ in read:
            if text.large not in self.lowest or seen.ratio < self.lowest[text.large][0].ratio:
                self.lowest[text.large] = (seen, f"{text.name[:40]!r} of {page}")
        self.tell(page, pale)

    def know(self, ui):
        """A button of this look with its border, of which high contrast has more."""
        box = extents(ui.find("button", "Add output"))
        x, y = corner(ui, window(ui))
        left, top, right, bottom = ((n + more) * SCALE for n, more in zip(box, (-12, -12, 12, 12)))
        button = screen().crop((x + left, y + top, x + right, y + bottom))
        self.button = frozenset(colour for _, colour in button.getcolors(button.width * button.height))

    def look_at(self, ui, root, told):
        """How these stand out, and where on the screen they are."""
        x, y = corner(ui, root)
        self.picture = screen()
        read = []
        for text in told:
            box = Box(*(n * SCALE for n in text.box))
            place = (x + box.left, y + box.top, x + box.right, y + box.bottom)
            read.append((text, measure(self.picture.crop(place)), place))
        return read

    def tell(self, page, pale):
        """Note what is too pale, and picture it."""
        draw = ImageDraw.Draw(self.picture)
        for text, seen, place in pale:
            draw.rectangle(place, outline="#ff00ff", width=2)
            colours = "#%02x%02x%02x on #%02x%02x%02x" % (*seen.front, *seen.back)
            self.faults.append(f"{self.look}, {page}: {text.name[:60]!r} is {colours}, {seen.ratio:.2f} to 1"
                               + (" (large)" if text.large else ""))
        if pale:
            self.picture.save(os.path.join(SHOTS, f"too pale {self.look} {page}.png".replace(" ", "-")))


# -- the pages -----------------------------------------------------------------------
PROFILE = """video = ["test", "file:%s"]
audio = ["tone"]
size = "640x360"
fps = 5
listen = "127.0.0.1:%d"
icecast = ["icecast://source:hackme@127.0.0.1:9/live.webm"]
"""
DIALOGS = (("ctrl+i", "Statistics"), ("ctrl+comma", "Preferences"), ("F1", "Help"),
           ("ctrl+question", "GtkShortcutsWindow"))
MENUS = ("Main menu", "Add source", "Add output")


def window(ui, name="Aerial"):
    """The one that is called this, if there is one."""
    there = [ui.app.get_child_at_index(i) for i in range(ui.app.get_child_count())]
    return next((node for node in there if node is not None and node.get_name() == name), None)


def enlarge(story):
    """As large as the screen, so that less is to be scrolled."""
    before = extents(window(story.ui))
    run("xdotool", "windowsize", story.place("^Aerial$", 0, 0), "2560", "2560")
    story.ui.wait(lambda: extents(window(story.ui)).bottom > before.bottom, "the window to be higher")


def opened(ui, button):
    """The popover of a button, if it is open."""
    for _, node in ui.nodes(button):
        if is_popover(node):
            return node if "visible" in ui.states(node) and min(extents(node).size()) > 0 else None
    return None


def menus(ui, read):
    for name in MENUS:
        button = ui.find("button", name)
        ui.click(button)
        read(name, ui.wait(lambda: opened(ui, button), f"what {name} opens"))
        ui.keys("Escape")
        ui.wait(lambda: opened(ui, button) is None, f"what {name} opens to close")


def form(ui, read):
    """A new output, of which too little is said."""
    button = ui.find("button", "Add output")
    ui.click(button)
    ui.click(ui.find("menu item", "Icecast server…", button))
    ui.click(ui.find("button", "Add"))
    ui.find("label", re.compile("^Enter the host"))
    read("a new output", window(ui))
    ui.click(ui.find("button", "Cancel"))
    ui.wait(lambda: min(extents(button).size()) > 0, "the form to close")


def dialogs(ui, read):
    for key, name in DIALOGS:
        ui.keys(key)
        dialog = ui.wait(lambda: window(ui, name), name)
        tabs = {}
        for tab in ui.find_all("page tab", None, dialog):
            # Each is there once more, for a narrow window.
            tabs.setdefault(ui.label(tab), tab)
        for label, tab in tabs.items():
            ui.click(tab)
            ui.wait(lambda: "selected" in ui.states(tab), f"{label} to be shown")
            read(f"{name}, {label}", dialog)
        if not tabs:
            read(name, dialog)
        ui.keys("Escape")
        ui.wait(lambda: window(ui, name) is None, f"{name} to close")


def pages(story, read):
    """Every page: off air, with a film that is not there and with another port than the profile says, then live with an
    output that fails."""
    ui = story.ui
    read("off air", window(ui))
    menus(ui, read)
    form(ui, read)
    ui.keys("ctrl+Return")
    ui.find("button", re.compile("^Try .* now"))
    read("live", window(ui))
    watching = [story.watch(agent) for agent in ("Walkman/1", "VLC/3.0.21 LibVLC/3.0.21")]
    ui.keys("ctrl+2")
    ui.wait(lambda: len(ui.find_all("button", re.compile("^Kick "))) == len(watching), "the viewers")
    read("viewers", window(ui))
    dialogs(ui, read)
    for one in watching:
        one.close()
    ui.keys("ctrl+Return")
    story.until(lambda: story.status()["air"], "off")


def look_like(look):
    """Settings of this look: nothing fades in or out, and twice the size."""
    config = tempfile.mkdtemp(dir=FILES)
    os.mkdir(os.path.join(config, "gtk-4.0"))
    with open(os.path.join(config, "gtk-4.0", "settings.ini"), "w") as out:
        out.write("[Settings]\ngtk-enable-animations=false\n")
    for name in [name for variables in LOOKS.values() for name in variables]:
        os.environ.pop(name, None)
    os.environ.update(LOOKS[look], GDK_SCALE=str(SCALE), XDG_CONFIG_HOME=config)


def main():
    prove()
    readers = [Reader(look) for look in sys.argv[4:] or LOOKS]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        profile = os.path.join(FILES, "profile.toml")
        with open(profile, "w") as out:
            out.write(PROFILE % (os.path.join(FILES, "film.webm"), taken.getsockname()[1]))
        for reader in readers:
            look_like(reader.look)
            with Story(AERIAL, SHOTS, [profile]) as story:
                enlarge(story)
                reader.know(story.ui)
                pages(story, lambda page, root: reader.read(story.ui, page, root))
    for reader in readers:
        for large, (seen, where) in sorted(reader.lowest.items()):
            kind = "large" if large else "usual"
            print(f"{reader.look}: of {reader.count} texts the lowest of the {kind} size is {seen.ratio:.2f}, {where}")
        assert reader.count > 300, f"{reader.look}: of {reader.count} texts only was there anything to read"
    # Else the same look was read again.
    assert len({reader.button for reader in readers}) == len(readers), "two looks are one"
    faults = [fault for reader in readers for fault in reader.faults]
    assert not faults, "too pale:\n" + "\n".join(faults)


if __name__ == "__main__":
    main()
