// SPDX-License-Identifier: GPL-3.0-or-later
// Watches by WebRTC (WHEP) first; where that does not play, by WebM or MP4 through MediaSource, then as a plain video
// source, at last as pictures without sound: MJPEG, or a GIF. Each way is given a few seconds to show a picture; whichever
// did is kept, and begun anew when it breaks.
"use strict";

const video = document.getElementById("video");
const image = document.getElementById("image");
const message = document.getElementById("message");
const unmute = document.getElementById("unmute");
const again = document.getElementById("again");
const tally = document.getElementById("tally");
const how = document.getElementById("how");

const FIRST_PICTURE_MS = 6000; // a way that shows nothing by then is given up
const BEHIND_S = 1.5;          // further behind the live edge than this is caught up with
const LOOK_MS = 3000;          // a picture does not tell that it ended, so the broadcast is asked this often

function say(text) { message.textContent = text; }

class OffAir extends Error {}
class Ended extends Error {}   // ended by the other side, not by the network

// Resolves when the video really shows or sounds, rejects when `broken` does or time is up.
function playing({ broken, shown }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("nothing came")), FIRST_PICTURE_MS);
    const done = () => { clearTimeout(timer); resolve(); };
    if (shown) {
      shown.then(done);
      broken.catch(error => { clearTimeout(timer); reject(error); });
      return;
    }
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(done);
    video.addEventListener("timeupdate", () => { if (video.currentTime > 0 && !video.videoWidth) done(); });
    video.addEventListener("playing", () => { if (!video.requestVideoFrameCallback) done(); }, { once: true });
    broken.catch(error => { clearTimeout(timer); reject(error); });
    // Chromium does not start a live stream by `autoplay` alone.
    video.play().catch(() => {});
  });
}

async function checked(response) {
  if (response.status === 503) throw new OffAir();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

// Each way returns {broken, close}: a promise that rejects when the way breaks, and a way to end it.
const ways = {
  async WebRTC() {
    const peer = new RTCPeerConnection({ iceServers: [] });
    const stream = new MediaStream();
    let place = null;
    const close = () => {
      peer.close();
      if (place) fetch(place, { method: "DELETE", keepalive: true }).catch(() => {});
    };
    try {
      peer.addTransceiver("video", { direction: "recvonly" });
      peer.addTransceiver("audio", { direction: "recvonly" });
      peer.ontrack = event => {
        stream.addTrack(event.track);
        // No more delay than the network needs.
        if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
      };
      let farewell = null;
      const broken = new Promise((_, reject) => {
        peer.onconnectionstatechange = () => {
          if (["failed", "closed", "disconnected"].includes(peer.connectionState)) reject(new Error("connection lost"));
        };
        farewell = () => reject(new Ended());
      });
      await peer.setLocalDescription();
      const response = await checked(await fetch("whep", {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: peer.localDescription.sdp,
      }));
      place = response.headers.get("Location");
      await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
      // A farewell is heard by the transport only; the connection itself would take it for silence.
      const transport = peer.getReceivers().map(receiver => receiver.transport).find(Boolean);
      if (transport) transport.onstatechange = () => { if (transport.state === "closed") farewell(); };
      video.srcObject = stream;
      return { broken, close };
    } catch (error) {
      close();
      throw error;
    }
  },

  async HTTP() {
    const Source = window.ManagedMediaSource || window.MediaSource;
    if (!Source) throw new Error("no MediaSource");
    const abort = new AbortController();
    let opened = null;
    for (const [path, typeIn] of [["live.webm", webmType], ["live.mp4", mp4Type]]) {
      const response = await checked(await fetch(path, { signal: abort.signal }));
      const reader = response.body.getReader();
      const first = await reader.read();
      if (first.done) throw new Error("stream ended");
      const type = typeIn(new TextDecoder("latin1").decode(first.value), first.value);
      if (Source.isTypeSupported(type)) {
        opened = { reader, first, type };
        break;
      }
      reader.cancel().catch(() => {});
      console.info(`HTTP: no ${type}`);
    }
    if (!opened) throw new Error("no type that this browser plays");
    const { reader, first, type } = opened;
    const media = new Source();
    const url = URL.createObjectURL(media);
    video.srcObject = null;
    // What a ManagedMediaSource asks for.
    video.disableRemotePlayback = true;
    video.src = url;
    await new Promise(resolve => media.addEventListener("sourceopen", resolve, { once: true }));
    const buffer = media.addSourceBuffer(type);
    const settled = () => buffer.updating
      ? new Promise(resolve => buffer.addEventListener("updateend", resolve, { once: true })) : null;
    const broken = (async () => {
      for (let piece = first; !piece.done; piece = await reader.read()) {
        buffer.appendBuffer(piece.value);
        await settled();
        const n = buffer.buffered.length;
        if (!n) continue;
        const start = buffer.buffered.start(0), edge = buffer.buffered.end(n - 1);
        // Chase the live edge; also where the stream begins at a time other than 0.
        if (video.currentTime < start || edge - video.currentTime > BEHIND_S) video.currentTime = Math.max(start, edge - 0.2);
        if (edge - start > 60) {
          buffer.remove(start, edge - 30);
          await settled();
        }
      }
      throw new Ended();
    })();
    broken.catch(() => {});
    return { broken, close() { abort.abort(); video.removeAttribute("src"); URL.revokeObjectURL(url); } };
  },

  async "plain HTTP"() {
    const kinds = [["live.webm", 'video/webm; codecs="vp8,opus"'], ["hls/index.m3u8", "application/vnd.apple.mpegurl"],
      ["live.mp4", 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"'], ["live.ogg", 'video/ogg; codecs="theora,vorbis"']];
    const found = kinds.find(([, type]) => video.canPlayType(type) === "probably")
      || kinds.find(([, type]) => video.canPlayType(type));
    if (!found) throw new Error("no type that this browser plays");
    await checked(await fetch("live.webm", { method: "HEAD" }));
    video.srcObject = null;
    const broken = new Promise((_, reject) => {
      video.onerror = () => reject(new Error("the browser cannot play this"));
      video.onended = () => reject(new Ended());
    });
    video.src = found[0];
    return { broken, close() { video.removeAttribute("src"); video.load(); } };
  },

  MJPEG: () => pictures("live.mjpeg"),
  GIF: () => pictures("live.gif"),
};

// The type of a stream of WebM: its codecs stand in the header as plain text.
function webmType(head) {
  const known = [["V_VP8", "vp8"], ["V_VP9", "vp9"], ["V_AV1", "av01.0.08M.08"], ["A_OPUS", "opus"], ["A_VORBIS", "vorbis"]];
  const codecs = known.filter(([id]) => head.includes(id)).map(([, codec]) => codec);
  return `${head.includes("V_") ? "video" : "audio"}/webm; codecs="${codecs.join(",")}"`;
}

// The type of a stream of MP4: profile and level follow the name of the box that configures H.264.
function mp4Type(head, bytes) {
  const codecs = [];
  const at = head.indexOf("avcC");
  if (at >= 0) {
    const level = [5, 6, 7].map(n => bytes[at + n].toString(16).padStart(2, "0"));
    codecs.push(`avc1.${level.join("")}`);
  }
  if (head.includes("mp4a")) codecs.push("mp4a.40.2");
  return `${at >= 0 ? "video" : "audio"}/mp4; codecs="${codecs.join(",")}"`;
}

// Pictures without sound, for browsers that play no film.
async function pictures(path) {
  await checked(await fetch(path, { method: "HEAD" }));
  let look = null;
  const shown = new Promise(resolve => {
    look = setInterval(() => { if (image.naturalWidth > 0) resolve(); }, 50);
  });
  shown.then(() => clearInterval(look));
  let ask = null;
  const broken = new Promise((_, reject) => {
    image.onerror = () => reject(new Error("the browser cannot show this"));
    ask = setInterval(async () => { if (!await onAir()) reject(new Ended()); }, LOOK_MS);
  });
  broken.catch(() => {});
  video.hidden = true;
  image.hidden = false;
  image.src = path;
  const close = () => {
    clearInterval(look);
    clearInterval(ask);
    image.onerror = null;
    image.removeAttribute("src");
    image.hidden = true;
    video.hidden = false;
  };
  return { broken, shown, close };
}

async function onAir() {
  try {
    return (await fetch("live.webm", { method: "HEAD" })).ok;
  } catch {
    return false;
  }
}

function pause(ms) { return new Promise(resolve => setTimeout(resolve, ms)); }

async function watch() {
  const wanted = new URLSearchParams(location.search).get("way");
  const order = Object.keys(ways).filter(name => !wanted || name.toLowerCase() === wanted.toLowerCase());
  let everPlayed = false;
  for (;;) {
    let offAir = false, letGo = false;
    for (const name of order) {
      let way = null, played = false;
      try {
        way = await ways[name]();
        await playing(way);
        played = everPlayed = true;
        say("");
        tally.textContent = "Live";
        tally.className = "live";
        how.textContent = `by ${name}`;
        unmute.hidden = Boolean(way.shown) || !video.muted;
        await way.broken;
      } catch (error) {
        offAir = error instanceof OffAir;
        // The other side ended it although the broadcast goes on: coming back unasked would be rude.
        if (error instanceof Ended && played) letGo = await onAir();
        console.info(`${name}: ${error.message || error}`);
      }
      if (way) way.close();
      // A way that worked is tried again before a lesser one.
      if (played || offAir) break;
    }
    tally.textContent = "Off air";
    tally.className = "";
    how.textContent = "";
    unmute.hidden = true;
    if (letGo) {
      say("The broadcaster ended your connection.");
      again.hidden = false;
      await new Promise(resolve => { again.onclick = resolve; });
      again.hidden = true;
      say("Connecting…");
      continue;
    }
    say(offAir ? (everPlayed ? "The broadcast has ended." : "The broadcast has not begun yet.")
      : "Your connection was lost. Trying again…");
    await pause(2000);
  }
}

unmute.onclick = () => { video.muted = false; video.play().catch(() => {}); unmute.hidden = true; };
document.getElementById("full").onclick = () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
};
watch();
