// SPDX-License-Identifier: GPL-3.0-or-later
// The ways by which the broadcast reaches this page, best first. Each is a function that returns
//   element     what shows it
//   broken      a promise that is rejected when the way breaks: Ended if the other side ended it
//   progress()  how much was shown so far: it grows while the picture moves, or the sound
//   delay()     [seconds, what they are], as measured; null where nothing can be
//   sound       whether there is any
//   close()     ends it
import { gif, mjpeg } from "./watch-pictures.js";

// With a farewell, or by silence, which a program that was killed has in common with one that ended.
export class Ended extends Error {
  constructor(farewell = false) {
    super("the other side ended it");
    this.farewell = farewell;
  }
}

// The server said no.
export class Refused extends Error {
  constructor(status, words) {
    super(words || `HTTP ${status}`);
    this.status = status;
  }
}

const CONNECT_MS = 4000;   // without a connection by then there will be none: UDP does not get through
const JUMP_S = 3;          // further behind than this is jumped, less is caught up with
const CLOSE_S = 0.2;       // as near to the newest picture as playing stays at first
const FAR_S = 2;           // and at last, where the network needs it
const CALM_MS = 20000;
const KEEP_S = 10;         // of what was shown, this much is kept

const token = new URLSearchParams(location.search).get("t");

// An address of the server, with the token that this page was opened with.
export function at(path) {
  const url = new URL(path, location.href);
  if (token !== null) url.searchParams.set("t", token);
  return url.href;
}

export async function ask(path, options) {
  const response = await fetch(at(path), options);
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  return response;
}

function player() {
  const video = document.createElement("video");
  video.setAttribute("aria-label", "Live broadcast");
  video.setAttribute("playsinline", "");
  video.autoplay = true;
  video.muted = true;
  return video;
}

// Pictures that were really shown; of sound alone, tenths of seconds that were played.
function counter(video) {
  let shown = 0;
  const count = () => { shown++; video.requestVideoFrameCallback(count); };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(count);
  return () => {
    if (video.paused) return 0;
    if (!video.videoWidth) return Math.floor(video.currentTime * 10);
    return Math.max(shown, video.getVideoPlaybackQuality?.().totalVideoFrames || 0);
  };
}

// What has come and is not shown yet.
function buffered(video) {
  const n = video.buffered.length;
  return n ? [Math.max(0, video.buffered.end(n - 1) - video.currentTime), "received, not shown yet"] : null;
}

async function webrtc() {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const stream = new MediaStream();
  const video = player();
  const shown = counter(video);
  let place = null, last = null, rung = "auto", timer = null;
  const close = () => {
    clearTimeout(timer);
    peer.close();
    video.srcObject = null;
    if (place) fetch(place, { method: "DELETE", keepalive: true }).catch(() => {});
  };
  // What the statistics say about the picture, or about the sound where it is alone.
  const received = async () => {
    const all = [...(await peer.getStats()).values()];
    const inbound = all.filter(s => s.type === "inbound-rtp");
    const pair = all.find(s => s.type === "candidate-pair" && s.state === "succeeded" && s.nominated !== false);
    return [inbound.find(s => s.kind === "video") || inbound[0], pair];
  };
  try {
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.ontrack = event => {
      stream.addTrack(event.track);
      // No more delay than the network needs.
      if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
    };
    let fail = null;
    const broken = new Promise((_, reject) => { fail = reject; });
    broken.catch(() => {});
    peer.onconnectionstatechange = () => {
      const state = peer.connectionState;
      if (state === "connected") clearTimeout(timer);
      if (["failed", "closed", "disconnected"].includes(state)) fail(new Error("connection lost"));
    };
    await peer.setLocalDescription();
    const response = await ask("whep", {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: peer.localDescription.sdp,
    });
    place = response.headers.get("Location");
    if (place) place = at(place);
    timer = setTimeout(() => fail(new Error("no connection")), CONNECT_MS);
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    // A farewell is heard by the transport only; the connection itself would take it for silence.
    const transport = peer.getReceivers().map(receiver => receiver.transport).find(Boolean);
    if (transport) transport.onstatechange = () => { if (transport.state === "closed") fail(new Ended(true)); };
    video.srcObject = stream;
    return {
      element: video, broken, close,
      sound: stream.getAudioTracks().length > 0,
      async progress() {
        const now = shown();
        if (now || video.paused || !video.videoWidth) return now;
        // Not every browser counts what it shows of a stream.
        return (await received())[0]?.framesDecoded || 0;
      },
      async delay() {
        const [now, pair] = await received();
        const before = last && now && last.id === now.id ? last : null;
        last = now;
        if (!now) return null;
        const [time, count] = now.totalProcessingDelay && now.framesDecoded ? ["totalProcessingDelay", "framesDecoded"]
          : ["jitterBufferDelay", "jitterBufferEmittedCount"];
        const per = (now[time] - (before?.[time] || 0)) / (now[count] - (before?.[count] || 0));
        if (!Number.isFinite(per)) return null;
        const trip = pair?.currentRoundTripTime;
        return trip === undefined ? [per, "buffer and decoding"] : [per + trip / 2, "network, buffer and decoding"];
      },
      // The size of the picture: auto, full or low.
      rung: () => rung,
      async choose(wanted) {
        if (!place) return false;
        const body = JSON.stringify({ rung: wanted });
        const response = await fetch(place, { method: "PATCH", headers: { "Content-Type": "application/json" }, body })
          .catch(() => null);
        if (response?.status !== 204) return false;
        rung = wanted;
        return true;
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

// Formats in which a stream can be fed to the browser.
const Source = window.ManagedMediaSource || window.MediaSource;
export const formats = [
  { name: "WebM", path: "live.webm", type: webmType, plain: 'video/webm; codecs="vp8,opus"' },
  { name: "MP4", path: "live.mp4", type: mp4Type, plain: 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"' },
].filter(({ plain }) => Source?.isTypeSupported(plain));

async function http({ format }) {
  if (!Source) throw new Error("no MediaSource");
  const abort = new AbortController();
  let opened = null, why = new Error("no type that this browser plays");
  // The one that was chosen, else the first.
  const wanted = [...formats].sort((a, b) => (b.name === format) - (a.name === format));
  for (const { name, path, type: typeOf } of wanted) {
    try {
      const response = await ask(path, { signal: abort.signal });
      const reader = response.body.getReader();
      const head = await beginning(reader);
      const type = typeOf(new TextDecoder("latin1").decode(head), head);
      if (Source.isTypeSupported(type)) {
        opened = { reader, head, type, name };
        break;
      }
      reader.cancel().catch(() => {});
    } catch (error) {
      why = error;
      // A broadcast may have nothing for one of them.
      if (error.status !== 404) throw error;
    }
  }
  if (!opened) throw why;
  const { reader, head, type, name } = opened;
  const video = player();
  const media = new Source();
  const url = URL.createObjectURL(media);
  // What a ManagedMediaSource asks for.
  video.disableRemotePlayback = true;
  video.src = url;
  await new Promise(resolve => media.addEventListener("sourceopen", resolve, { once: true }));
  const buffer = media.addSourceBuffer(type);
  const changed = change => new Promise((resolve, reject) => {
    buffer.addEventListener("updateend", resolve, { once: true });
    buffer.addEventListener("error", () => reject(new Error("the browser cannot play this")), { once: true });
    change();
  });
  // As near as the network allows: each time nothing is left to be shown, a little further away; in calm times back.
  let near = CLOSE_S, waited = performance.now();
  video.addEventListener("waiting", () => {
    if (video.seeking) return;
    near = Math.min(near * 1.3 + 0.05, FAR_S);
    waited = performance.now();
  });
  const chase = () => {
    const n = buffer.buffered.length;
    if (!n || video.paused && video.currentTime > 0) return;
    if (performance.now() - waited > CALM_MS) {
      near = Math.max(near * 0.9, CLOSE_S);
      waited = performance.now();
    }
    const edge = buffer.buffered.end(n - 1), start = buffer.buffered.start(n - 1);
    const behind = edge - video.currentTime;
    // Also where the stream begins at a time other than 0, or has a gap.
    if (video.currentTime < start || behind > near + JUMP_S) video.currentTime = Math.max(start, edge - near);
    else video.playbackRate = behind > near + 1 ? 1.15 : behind > near + 0.3 ? 1.05 : behind > near ? video.playbackRate : 1;
  };
  const trim = async () => {
    if (!buffer.buffered.length) return;
    const start = buffer.buffered.start(0), edge = buffer.buffered.end(buffer.buffered.length - 1);
    // Whoever pauses for long goes on at the newest picture.
    const end = Math.max(video.currentTime - KEEP_S, edge - 4 * KEEP_S);
    if (end - start > KEEP_S) await changed(() => buffer.remove(start, end));
  };
  const broken = (async () => {
    for (let piece = { value: head, done: false }; !piece.done; piece = await reader.read()) {
      await changed(() => buffer.appendBuffer(piece.value));
      chase();
      await trim();
    }
    throw new Ended();
  })();
  broken.catch(() => {});
  return {
    element: video, broken, format: name,
    sound: type.includes(",") || type.startsWith("audio"),
    progress: counter(video),
    delay: () => buffered(video),
    close() {
      abort.abort();
      video.removeAttribute("src");
      video.load();
      URL.revokeObjectURL(url);
    },
  };
}

// Enough of a stream to hold its header.
async function beginning(reader) {
  let all = new Uint8Array(0);
  while (all.length < 2048) {
    const { value, done } = await reader.read();
    if (done) throw new Ended();
    const longer = new Uint8Array(all.length + value.length);
    longer.set(all);
    longer.set(value, all.length);
    all = longer;
  }
  return all;
}

// The type of a stream of WebM: its codecs stand in the header as plain text.
function webmType(head) {
  const known = [["V_VP8", "vp8"], ["V_VP9", "vp9"], ["V_AV1", "av01.0.08M.08"], ["A_OPUS", "opus"], ["A_VORBIS", "vorbis"]];
  const codecs = known.filter(([id]) => head.includes(id)).map(([, codec]) => codec);
  return `${head.includes("V_") ? "video" : "audio"}/webm; codecs="${codecs.join(",")}"`;
}

// The type of a stream of MP4: profile and level follow the name of the box that configures H.264.
function mp4Type(head, bytes) {
  const codecs = [];
  const box = head.indexOf("avcC");
  if (box >= 0) {
    const level = [5, 6, 7].map(n => bytes[box + n].toString(16).padStart(2, "0"));
    codecs.push(`avc1.${level.join("")}`);
  }
  if (head.includes("mp4a")) codecs.push("mp4a.40.2");
  return `${box >= 0 ? "video" : "audio"}/mp4; codecs="${codecs.join(",")}"`;
}

async function plain() {
  const video = player();
  const kinds = [["live.webm", 'video/webm; codecs="vp8,opus"'], ["hls/index.m3u8", "application/vnd.apple.mpegurl"],
    ["live.mp4", 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"'], ["live.ogg", 'video/ogg; codecs="theora,vorbis"']];
  const found = kinds.find(([, type]) => video.canPlayType(type) === "probably")
    || kinds.find(([, type]) => video.canPlayType(type));
  if (!found) throw new Error("no type that this browser plays");
  // A player does not tell why it was refused.
  await ask(found[0], { method: "HEAD" });
  const broken = new Promise((_, reject) => {
    video.addEventListener("error", () => reject(new Error("the browser cannot play this")));
    video.addEventListener("ended", () => reject(new Ended()));
  });
  broken.catch(() => {});
  const chase = setInterval(() => {
    const behind = buffered(video)?.[0] || 0;
    video.playbackRate = behind > 1.5 ? 1.1 : behind < 0.7 ? 1 : video.playbackRate;
  }, 500);
  video.src = at(found[0]);
  return {
    element: video, broken, sound: true,
    progress: counter(video),
    delay: () => buffered(video),
    close() {
      clearInterval(chase);
      video.removeAttribute("src");
      video.load();
    },
  };
}

export const ways = {
  WebRTC: webrtc,
  HTTP: http,
  "plain HTTP": plain,
  MJPEG: () => pictures("live.mjpeg", mjpeg),
  GIF: () => pictures("live.gif", gif),
};

// Pictures without sound, painted one by one as they come.
async function pictures(path, parts) {
  const abort = new AbortController();
  const response = await ask(path, { signal: abort.signal });
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Live broadcast");
  let painted = 0, paused = false;
  const paint = async blob => {
    const picture = await createImageBitmap(blob);
    if (!paused || !painted) {
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
      }
      canvas.getContext("2d").drawImage(picture, 0, 0);
    }
    painted++;
    picture.close();
  };
  const broken = (async () => {
    const reader = response.body.getReader();
    const take = parts(paint);
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) await take(piece.value);
    throw new Ended();
  })();
  broken.catch(() => {});
  return {
    element: canvas, broken, sound: false,
    progress: () => painted,
    delay: () => null,
    pause(whether) { paused = whether; },
    close: () => abort.abort(),
  };
}
