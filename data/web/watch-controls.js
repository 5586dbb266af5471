// SPDX-License-Identifier: GPL-3.0-or-later
// Buttons, keys and settings of the player.
import { at, formats, ways } from "./watch-ways.js";

const $ = id => document.getElementById(id);
const player = $("player"), play = $("play"), mute = $("mute"), unmute = $("unmute"), volume = $("volume");
const settings = $("settings"), more = $("more"), pip = $("pip"), full = $("full");
const embedded = document.documentElement.classList.contains("embed");

const IDLE_MS = 3000;      // over the picture, controls are shown this long
const SMOOTH = 0.3;        // how much a new measurement of the delay changes what is shown

const wish = { muted: true, volume: 1, paused: false };
let way = null;            // what is shown now
let seconds = null;

function icon(button, name) { button.querySelector("use").setAttribute("href", `#i-${name}`); }

// How the viewer wants it, also for what is shown next.
function apply(element) {
  if (!element.play) return;
  element.muted = wish.muted;
  element.volume = wish.volume;
}

function show() {
  const silent = wish.muted || wish.volume === 0;
  icon(mute, silent ? "mute" : "sound");
  mute.setAttribute("aria-pressed", String(!silent));
  mute.disabled = volume.disabled = !way?.sound;
  mute.title = way && !way.sound ? "There is no sound by this way" : "Sound (M)";
  volume.value = wish.muted ? 0 : Math.round(wish.volume * 100);
  unmute.hidden = !way?.sound || !wish.muted;
  icon(play, wish.paused ? "play" : "pause");
  play.setAttribute("aria-label", wish.paused ? "Play" : "Pause");
  play.disabled = !way;
  const video = way?.element.play ? way.element : null;
  pip.hidden = !video || !(document.pictureInPictureEnabled || video.webkitSupportsPresentationMode?.("picture-in-picture"));
  full.hidden = !document.fullscreenEnabled && !video?.webkitEnterFullscreen;
  player.classList.toggle("paused", wish.paused);
}

function silence(muted) {
  wish.muted = muted;
  if (!muted && wish.volume === 0) wish.volume = 0.5;
  if (way) {
    apply(way.element);
    if (!muted && !wish.paused) way.element.play?.().catch(() => {});
  }
  show();
}

function loudness(value) {
  wish.volume = Math.min(1, Math.max(0, value));
  silence(wish.volume === 0);
}

function pause(whether) {
  if (!way) return;
  wish.paused = whether;
  way.pause?.(whether);
  if (whether) way.element.pause?.();
  else way.element.play?.().catch(() => {});
  show();
}

async function small() {
  const video = way?.element;
  if (pip.hidden || !video) return;
  try {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else if (video.requestPictureInPicture) await video.requestPictureInPicture();
    else video.webkitSetPresentationMode("picture-in-picture");
  } catch (error) {
    console.info(`picture in picture: ${error.message}`);
  }
}

function large() {
  if (full.hidden) return;
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) player.requestFullscreen().catch(() => {});
  else way.element.webkitEnterFullscreen();
}

function unfold(open) {
  settings.hidden = !open;
  more.setAttribute("aria-expanded", String(open));
}

play.onclick = () => pause(!wish.paused);
mute.onclick = () => silence(!(wish.muted || wish.volume === 0));
unmute.onclick = () => { silence(false); mute.focus({ preventScroll: true }); };
volume.oninput = () => loudness(volume.value / 100);
pip.onclick = small;
full.onclick = large;
more.onclick = () => unfold(settings.hidden);
document.addEventListener("fullscreenchange", () => {
  const is = Boolean(document.fullscreenElement);
  icon(full, is ? "small" : "full");
  full.setAttribute("aria-label", is ? "Leave full screen" : "Full screen");
  if (is) unfold(false);
});

const KEYS = {
  " ": () => pause(!wish.paused),
  m: () => way?.sound && mute.click(),
  f: large,
  p: small,
  ArrowUp: () => way?.sound && loudness((wish.muted ? 0 : wish.volume) + 0.05),
  ArrowDown: () => way?.sound && loudness((wish.muted ? 0 : wish.volume) - 0.05),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  wake();
  if (event.key === "Escape" && !settings.hidden) {
    unfold(false);
    more.focus();
  }
  const does = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  // What has a use for the key itself keeps it.
  const own = event.target.closest(event.key === " " ? "button, a, select" : "select, input");
  if (!does || own) return;
  event.preventDefault();
  does();
});

// Over the picture, what is not used goes out of sight.
let idle = null;
function wake() {
  player.classList.remove("idle");
  clearTimeout(idle);
  idle = setTimeout(() => player.classList.add("idle"), IDLE_MS);
}
for (const sign of ["pointermove", "pointerdown", "focusin"]) player.addEventListener(sign, wake);
wake();
$("stage").addEventListener("dblclick", large);

function unit(value) { return value < 0.01 ? "under 10 ms" : value < 1 ? `${Math.round(value * 100) * 10} ms` : `${value.toFixed(1)} s`; }

// The delay, as measured now.
async function measure() {
  const measured = way && !wish.paused ? await way.delay() : null;
  if (!measured) seconds = null;
  else seconds = seconds === null ? measured[0] : seconds + (measured[0] - seconds) * SMOOTH;
  $("delay").textContent = seconds === null ? "" : unit(seconds);
  $("delay-words").textContent = seconds === null ? (!way ? "not known" : wish.paused ? "paused" : "cannot be measured by this way")
    : `${unit(seconds)}: ${measured[1]}. The broadcaster's own side comes on top.`;
  const element = way?.element;
  const [width, height] = element ? [element.videoWidth ?? element.width, element.videoHeight ?? element.height] : [0, 0];
  $("size").textContent = width ? `${width} × ${height}` : "none";
  player.classList.toggle("sound-only", Boolean(element) && !width);
  if (width) $("stage").style.setProperty("--ratio", `${width} / ${height}`);
}
setInterval(() => { if (!document.hidden) measure().catch(() => {}); }, 1000);

// What can be chosen of this way.
async function offer(name) {
  $("for-format").hidden = !way.format || formats.length < 2;
  if (way.format) $("format").value = way.format;
  $("for-quality").hidden = true;
  const shown = way;
  // Sizes are offered only by a server that lets them be chosen.
  if (name === "WebRTC" && await shown.choose(choice.rung) && way === shown) {
    $("quality").value = shown.rung();
    $("for-quality").hidden = false;
  }
}

export const choice = { way: new URLSearchParams(location.search).get("way") || "", format: "", rung: "auto" };

export const controls = {
  apply,
  paused: () => wish.paused,
  // The browser wants a click first.
  silenced() {
    wish.muted = true;
    show();
  },
  // This is seen from now on.
  attach(name, next) {
    const inPicture = way && document.pictureInPictureElement === way.element;
    way = next;
    seconds = null;
    apply(way.element);
    if (inPicture) way.element.requestPictureInPicture?.().catch(() => {});
    if (wish.paused) pause(true);
    $("how").textContent = `by ${name}`;
    show();
    measure().catch(() => {});
    offer(name).catch(() => {});
  },
  detach() {
    way = null;
    $("how").textContent = $("delay").textContent = "";
    $("delay-words").textContent = "not known";
    $("for-quality").hidden = $("for-format").hidden = true;
    show();
  },
  // `again` is called when what is shown is to be another.
  chosen(again) {
    $("way").onchange = event => { choice.way = event.target.value; again(); };
    $("format").onchange = event => { choice.format = event.target.value; again(); };
    $("quality").onchange = async event => {
      const shown = way, wanted = event.target.value;
      if (await shown?.choose?.(wanted)) choice.rung = wanted;
      else if (shown?.rung) event.target.value = shown.rung();
    };
  },
};

for (const name of Object.keys(ways)) $("way").add(new Option(name, name));
for (const { name } of formats) $("format").add(new Option(name, name));
$("way").value = Object.keys(ways).find(name => name.toLowerCase() === choice.way.toLowerCase()) || "";
$("out").href = at("./");
if (matchMedia("(max-width: 40rem) and (orientation: portrait)").matches && !embedded) unfold(true);
show();
