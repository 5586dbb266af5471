// SPDX-License-Identifier: GPL-3.0-or-later
// A remote control made for OBS: obs-websocket-js, unchanged. Each line of standard input is [request, data] or
// ["batch", requests]; each answer and each event is a line of standard output.
//   node obs.mjs json|msgpack URL PASSWORD
import { createInterface } from "node:readline";

const [form, url, password] = process.argv.slice(2);
const { default: OBSWebSocket } = await import(`obs-websocket-js/${form}`);
const obs = new OBSWebSocket();
const say = (line) => console.log(JSON.stringify(line));
const names = [
  "StreamStateChanged", "RecordStateChanged", "CurrentProgramSceneChanged", "SceneListChanged",
  "InputMuteStateChanged", "InputVolumeChanged", "InputCreated", "InputRemoved", "ExitStarted",
];
for (const event of names) obs.on(event, (data) => say({ event, data: data ?? {} }));
try {
  say({ connected: await obs.connect(url, password) });
} catch (error) {
  say({ failed: error.code });
  process.exit(0);
}
obs.on("ConnectionClosed", (error) => say({ closed: error.code }));
for await (const line of createInterface({ input: process.stdin })) {
  const [request, data] = JSON.parse(line);
  try {
    const done = request === "batch" ? await obs.callBatch(data) : await obs.call(request, data);
    say({ done: done ?? null });
  } catch (error) {
    say({ refused: error.code, words: error.message });
  }
}
await obs.disconnect();
process.exit(0);
