// SPDX-License-Identifier: GPL-3.0-or-later
// Watches by WebRTC (WHEP) first; where that does not play, by WebM through MediaSource, then as a plain video source.
// Each way is given a few seconds to show a picture; whichever did is kept, and begun anew when it breaks.
"use strict";

const video = document.getElementById("video");
const message = document.getElementById("message");
const unmute = document.getElementById("unmute");
const again = document.getElementById("again");
const tally = document.getElementById("tally");
const how = document.getElementById("how");

const FIRST_PICTURE_MS = 6000; // a way that shows nothing by then is given up
const BEHIND_S = 1.5;          // further behind the live edge than this is caught up with

function say(text) { message.textContent = text; }

class OffAir extends Error {}
class Ended extends Error {}   // ended by the other side, not by the network

// Resolves when the video really shows or sounds, rejects when `broken` does or time is up.
function playing(broken) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("nothing came")), FIRST_PICTURE_MS);
    const done = () => { clearTimeout(timer); resolve(); };
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
    const types = ['video/webm; codecs="vp8,opus"', 'video/webm; codecs="vp9,opus"', 'video/webm; codecs="vp8"',
      'audio/webm; codecs="opus"'];
    if (!window.MediaSource) throw new Error("no MediaSource");
    const abort = new AbortController();
    const response = await checked(await fetch("live.webm", { signal: abort.signal }));
    const reader = response.body.getReader();
    const first = await reader.read();
    if (first.done) throw new Error("stream ended");
    // The codecs stand in the header as plain text.
    const text = new TextDecoder("latin1").decode(first.value);
    const codecs = [["V_VP8", "vp8"], ["V_VP9", "vp9"], ["A_OPUS", "opus"]].filter(([id]) => text.includes(id));
    const kind = text.includes("V_VP") ? "video" : "audio";
    const type = codecs.length ? `${kind}/webm; codecs="${codecs.map(c => c[1]).join(",")}"` : types[0];
    if (!MediaSource.isTypeSupported(type)) throw new Error(`no ${type}`);
    const media = new MediaSource();
    const url = URL.createObjectURL(media);
    video.srcObject = null;
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
    await checked(await fetch("live.webm", { method: "HEAD" }));
    video.srcObject = null;
    const broken = new Promise((_, reject) => {
      video.onerror = () => reject(new Error("the browser cannot play this"));
      video.onended = () => reject(new Ended());
    });
    video.src = "live.webm";
    return { broken, close() { video.removeAttribute("src"); video.load(); } };
  },
};

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
        await playing(way.broken);
        played = everPlayed = true;
        say("");
        tally.textContent = "Live";
        tally.className = "live";
        how.textContent = `by ${name}`;
        unmute.hidden = !video.muted;
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
