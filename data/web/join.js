// SPDX-License-Identifier: GPL-3.0-or-later
// Joins a broadcast as its guest: camera or screen and microphone go there by one POST (WHIP).
// The invitation stands behind the # of the link, so that no server writes it into a log. It works once. The key that
// comes with the first answer is kept for this tab, so that the page can be reloaded and comes back to the same seat.
"use strict";

const at = id => document.getElementById(id);
const preview = at("preview"), message = at("message"), settings = at("settings"), tally = at("tally"), how = at("how");
const nameBox = at("name"), picture = at("picture"), cameras = at("camera"), microphones = at("microphone");
const joinButton = at("join"), mute = at("mute"), blind = at("blind"), leaveButton = at("leave"), again = at("again");

const invitation = location.hash.slice(1);
const memory = `aerial-guest:${invitation}`;
const LONGEST_WAIT_MS = 10000;   // between two tries to connect

let kept = { key: null, joined: false, name: "", picture: "camera", camera: "", microphone: "" };
try { kept = { ...kept, ...JSON.parse(sessionStorage.getItem(memory) || "{}") }; } catch { /* begin anew */ }
function keep(news) {
  kept = { ...kept, ...news };
  try { sessionStorage.setItem(memory, JSON.stringify(kept)); } catch { /* a reload will not come back then */ }
}

function say(text) { message.textContent = text; }

class GoodBye extends Error {}   // there is no point in trying again

// What is shown and sent now.
let video = null, audio = null;
let connection = null;           // {peer, place, senders}
let wanted = false;              // the guest wants to be in
let wake = () => {};             // ends the wait before the next try

// ---- Camera, screen and microphone

function sayWhy(error, what) {
  const words = {
    NotAllowedError: `Your browser does not let this page use ${what}. Allow it (the sign beside the address), then press "Try again".`,
    NotFoundError: `There is no ${what} here. Plug one in, or choose something else, then press "Try again".`,
    NotReadableError: `The ${what} is in use by another program, or broken. Close the other program, then press "Try again".`,
    OverconstrainedError: `The ${what} that you chose is not there any more. Choose another one.`,
  };
  return words[error.name] || `The ${what} cannot be used: ${error.message || error.name}.`;
}

const chosen = box => (box.value ? { deviceId: { exact: box.value } } : {});

async function takePicture() {
  if (picture.value === "none") return null;
  if (picture.value === "screen") {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 30 }, audio: false });
    const track = stream.getVideoTracks()[0];
    track.contentHint = "detail";
    // The browser's own "Stop sharing".
    track.onended = () => { if (video === track) { picture.value = "none"; change("picture"); } };
    return track;
  }
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...size, ...chosen(cameras) } });
  return stream.getVideoTracks()[0];
}

async function takeSound() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, ...chosen(microphones) } });
  return stream.getAudioTracks()[0];
}

// Take picture and sound as chosen; what cannot be had is told, the other is used all the same.
async function take(what) {
  const troubles = [];
  if (what !== "sound") {
    video?.stop();
    video = null;
    try { video = await takePicture(); } catch (error) { troubles.push(sayWhy(error, picture.value)); }
  }
  if (what !== "picture") {
    audio?.stop();
    audio = null;
    try { audio = await takeSound(); } catch (error) { troubles.push(sayWhy(error, "microphone")); }
  }
  for (const track of [video, audio]) if (track) track.enabled = (track === video ? blind : mute).ariaPressed !== "true";
  preview.srcObject = video ? new MediaStream([video]) : null;
  if (video) preview.play().catch(() => {});
  await Promise.all([connection?.senders.video.replaceTrack(video), connection?.senders.audio.replaceTrack(audio)]);
  await list();
  say(troubles.join("\n"));
  again.hidden = troubles.length === 0;
  joinButton.disabled = !video && !audio;
}

async function list() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const fill = (box, kind, track, word) => {
    const now = track?.getSettings().deviceId || box.value || kept[box.id];
    const found = all.filter(device => device.kind === kind);
    box.replaceChildren(...found.map((device, n) => new Option(device.label || `${word} ${n + 1}`, device.deviceId)));
    if (found.some(device => device.deviceId === now)) box.value = now;
    box.disabled = found.length === 0;
  };
  fill(cameras, "videoinput", picture.value === "camera" ? video : null, "Camera");
  fill(microphones, "audioinput", audio, "Microphone");
  at("which-camera").hidden = picture.value !== "camera";
}

async function change(what) {
  keep({ picture: picture.value, camera: cameras.value, microphone: microphones.value });
  blind.textContent = picture.value === "screen" ? "Screen off" : "Camera off";
  blind.ariaPressed = what === "sound" ? blind.ariaPressed : "false";
  await take(what);
}

// ---- The connection

async function connect() {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const made = { peer, place: null, senders: null, broken: null };
  try {
    const stream = new MediaStream();
    // Both always, so that either can be switched on later.
    const sender = (track, kind) => peer.addTransceiver(track || kind, { direction: "sendonly", streams: [stream] }).sender;
    made.senders = { video: sender(video, "video"), audio: sender(audio, "audio") };
    made.broken = new Promise((_, reject) => {
      peer.onconnectionstatechange = () => {
        if (["failed", "closed", "disconnected"].includes(peer.connectionState)) reject(new Error("connection lost"));
      };
      made.end = () => reject(new Error("left"));
    });
    made.broken.catch(() => {});
    await peer.setLocalDescription();
    const response = await fetch(`whip?name=${encodeURIComponent(nameBox.value.trim() || nameBox.placeholder)}`, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", "Authorization": `Bearer ${kept.key || invitation}` },
      body: peer.localDescription.sdp,
    });
    if (response.status === 401 || response.status === 403) {
      throw new GoodBye(kept.key ? "The host has taken your seat away. For another one, ask the host for a new link."
        : response.status === 403 ? "This invitation was used already, or taken back. Ask the host for a new link."
          : "This link has no invitation that is known here. Ask the host for a new link.");
    }
    if (!response.ok) throw new Error((await response.text()).trim() || `HTTP ${response.status}`);
    const key = response.headers.get("Aerial-Seat");
    if (key) keep({ key });
    made.place = response.headers.get("Location");
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    // A farewell is heard by the transport only; the connection itself would take it for silence.
    const transport = made.senders.audio.transport;
    if (transport) transport.onstatechange = () => { if (transport.state === "closed") made.end(); };
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no connection could be made")), 15000);
      made.broken.catch(error => { clearTimeout(timer); reject(error); });
      peer.addEventListener("connectionstatechange", () => {
        if (peer.connectionState === "connected") { clearTimeout(timer); resolve(); }
      });
    });
    return made;
  } catch (error) {
    close(made);
    throw error;
  }
}

function close(which) {
  if (!which) return;
  which.peer.close();
  if (which.place) fetch(which.place, { method: "DELETE", keepalive: true }).catch(() => {});
  which.place = null;
}

function show(inside) {
  tally.textContent = inside ? "Joined" : "Not joined";
  tally.className = inside ? "in" : "";
  joinButton.hidden = wanted;
  mute.hidden = blind.hidden = leaveButton.hidden = !wanted;
  nameBox.disabled = wanted;
}

// One page at a time has the seat; the newest one.
const pages = new BroadcastChannel(memory);
pages.onmessage = () => { if (wanted) leave("You joined in another tab."); };

async function join() {
  if (wanted) return;
  wanted = true;
  keep({ joined: true, name: nameBox.value.trim() });
  pages.postMessage("here");
  let delay = 500;
  while (wanted) {
    show(false);
    how.textContent = "Connecting…";
    try {
      connection = await connect();
      if (!wanted) break;
      delay = 500;
      show(true);
      say("");
      how.textContent = "You are seen and heard as soon as the host shows you.";
      await connection.broken;
    } catch (error) {
      close(connection);
      connection = null;
      if (error instanceof GoodBye) { leave(error.message); joinButton.disabled = true; return; }
      if (!wanted) return;
      show(false);
      say(`There is no connection to the host now. Trying again… (${error.message})`);
    }
    await new Promise(resolve => { wake = resolve; setTimeout(resolve, delay); });
    delay = Math.min(delay * 2, LONGEST_WAIT_MS);
  }
}

function leave(words) {
  wanted = false;
  keep({ joined: false });
  connection?.end();
  close(connection);
  connection = null;
  wake();
  show(false);
  how.textContent = "";
  say(words);
}

// ---- Controls

function press(button, track) {
  const off = button.ariaPressed !== "true";
  button.ariaPressed = String(off);
  if (track) track.enabled = !off;
}

joinButton.onclick = join;
leaveButton.onclick = () => leave("You have left. You can join again with this page.");
mute.onclick = () => press(mute, audio);
blind.onclick = () => press(blind, video);
again.onclick = () => take("both");
picture.onchange = () => change("picture");
cameras.onchange = () => change("picture");
microphones.onchange = () => change("sound");
settings.onsubmit = event => { event.preventDefault(); if (!joinButton.disabled) join(); };
// The host hears of it at once, not when the connection is missed. A page that is taken out of the cache again joins anew.
addEventListener("pagehide", () => { close(connection); connection?.end(); });
addEventListener("online", () => wake());

async function begin() {
  nameBox.value = kept.name;
  picture.value = kept.picture;
  show(false);
  if (!invitation) {
    settings.hidden = true;
    return say("This link has no invitation in it. Ask the host for the whole link.");
  }
  if (!isSecureContext || !navigator.mediaDevices) {
    settings.hidden = true;
    return say("Browsers let a page use camera and microphone only over https, or on the host's own computer.\n" +
      "Ask the host for a link that begins with https, or open this one there as http://localhost.");
  }
  // Without getDisplayMedia (most phones) there is no screen to share.
  if (!navigator.mediaDevices.getDisplayMedia) picture.querySelector("[value=screen]").remove();
  navigator.mediaDevices.ondevicechange = () => list().catch(() => {});
  if (kept.joined && kept.picture === "screen") {
    // A screen is shared only when the guest asks for it.
    picture.value = "none";
    await take("both");
    join();
    return say('Choose "Screen" to share it again.');
  }
  await take("both");
  if (kept.joined && (video || audio)) join();
}
begin();
