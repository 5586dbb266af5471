// SPDX-License-Identifier: GPL-3.0-or-later
// Watches by the best way that really plays, tries a better one now and then, begins anew when it breaks, and says why
// nothing is to be seen.
import { choice, controls } from "./watch-controls.js";
import { Ended, Refused, ask, at, ways } from "./watch-ways.js";

const $ = id => document.getElementById(id);
const player = $("player"), screen = $("screen"), still = $("still"), again = $("again");

const FIRST_PICTURE_MS = 6000; // a way by which nothing moves by then is given up
const STEP_MS = 40;
const STILL_MS = 10000;        // a picture that stands this long is taken for lost
const STEADY_MS = 10000;       // a way that worked this long is tried again at once
const BETTER_MS = 30000;       // a better way is tried after this, then after twice as long, …
const BETTER_MAX_MS = 600000;
const TITLE_MS = 20000;
const ANSWER_MS = 5000;
const ASLEEP_MS = 15000;

// What is said in each state: in the corner, in the middle, and on the button that goes on.
const STATES = {
  connecting: ["Connecting", "Connecting…"],
  live: ["Live", "Sound only"],
  blocked: ["Live", "Your browser waits for you.", "Play"],
  early: ["Off air", "The broadcast has not begun yet. It will be shown here when it does."],
  ended: ["Ended", "The broadcast has ended."],
  lost: ["Lost", "Your connection is lost. Trying again…", "Try now"],
  letgo: ["Ended", "The broadcaster ended your connection.", "Watch again"],
  refused: ["Refused", "The server refuses to show the broadcast.", "Try again"],
  unplayable: ["Live", "This browser can play the broadcast in no way. Trying again…", "Try now"],
};
const WAIT_MAX_MS = { lost: 15000, early: 8000, ended: 30000, refused: 60000, unplayable: 30000 };
const OF_AIR = { off: "early", ended: "ended", refused: "refused", lost: "lost" };

let server = null;   // the one that was watched last; it has another number when it was started anew

function set(state, words) {
  if (player.dataset.state === state && !words) return;
  const [tally, usual, button] = STATES[state];
  player.dataset.state = state;
  $("tally").textContent = tally;
  $("message").textContent = words || usual;
  $("said").textContent = state === "live" ? "The broadcast is playing." : words || usual;
  again.hidden = !button;
  again.textContent = button || "";
}

// Until the time is over, or the viewer or the network says that it is worth trying now.
let wake = () => {};
function rest(ms) {
  return new Promise(resolve => {
    const timer = ms === Infinity ? null : setTimeout(resolve, ms);
    wake = pressed => {
      if (!pressed && ms === Infinity) return;
      clearTimeout(timer);
      resolve();
    };
  });
}
again.onclick = () => wake(true);
addEventListener("online", () => wake(false));
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(false); });

// Whether this computer slept a moment ago. A server lets go who takes nothing, so that is no sign of its will.
let tick = Date.now(), woken = 0;
setInterval(() => {
  if (Date.now() - tick > ASLEEP_MS) woken = Date.now();
  tick = Date.now();
}, 1000);
function slept() { return Date.now() - tick > ASLEEP_MS || Date.now() - woken < ASLEEP_MS; }

function pause(ms) { return new Promise(resolve => setTimeout(resolve, ms)); }

// Longer each time, and not all viewers at once.
function growing(n, longest) { return Math.min(1000 * 2 ** n, longest) * (0.8 + 0.4 * Math.random()); }

// What the server says about the broadcast.
async function look() {
  let told;
  try {
    told = await (await ask("watch.json", { signal: AbortSignal.timeout(ANSWER_MS) })).json();
  } catch (error) {
    // What stands between may let only the streams through.
    if (error.status === 404) return { air: "live", server };
    return error.status < 500 ? { air: "refused", words: error.message } : { air: "lost" };
  }
  $("title").textContent = told.title || "Aerial";
  document.title = told.title ? `${told.title}: live` : "Aerial: live";
  return told;
}

function play(way, first) {
  way.element.play?.().catch(async error => {
    if (error.name !== "NotAllowedError") return;
    if (!way.element.muted) {
      controls.silenced();
      way.element.muted = true;
      return play(way, first);
    }
    if (!first) return;
    way.blocked = true;
    set("blocked");
    poster();
    await rest(Infinity);
    way.blocked = false;
    set("connecting");
    play(way, first);
  });
}

// What stays to be seen while nothing moves.
function keep(picture, width, height) {
  if (!width) return;
  still.width = width;
  still.height = height;
  still.getContext("2d").drawImage(picture, 0, 0);
  still.hidden = false;
}

// The picture as it is now, until one moves. The server starts an encoder for it, so it is not asked for in vain: only
// where the best way was none.
function poster() {
  const image = new Image();
  image.onload = () => { if (player.dataset.state !== "live") keep(image, image.naturalWidth, image.naturalHeight); };
  image.src = at("snapshot.jpg");
}

// Resolves when pictures follow each other, or sound goes on; rejects when the way breaks or time is up.
async function moves(way) {
  let failed = null, first = 0, left = FIRST_PICTURE_MS;
  way.broken.catch(error => { failed = error; });
  while (!failed) {
    const now = await way.progress();
    if (first && now > first) return;
    first ||= now;
    if (left <= 0) throw new Error("nothing came");
    // In the background browsers show nothing, however good the way is.
    if (!document.hidden && !way.blocked) left -= STEP_MS;
    await pause(STEP_MS);
  }
  throw failed;
}

// Plays by this way, under what is shown already.
async function begin(name, first) {
  const making = ways[name](choice);
  let late = null;
  const way = await Promise.race([making, new Promise((_, reject) => {
    late = setTimeout(() => {
      making.then(way => way.close(), () => {});
      reject(new Error("no answer"));
    }, FIRST_PICTURE_MS);
  })]).finally(() => clearTimeout(late));
  try {
    if (first) controls.apply(way.element);
    screen.prepend(way.element);
    play(way, first);
    await moves(way);
    return { name, way, since: performance.now() };
  } catch (error) {
    end(way);
    throw error;
  }
}

function end(way) {
  way.element.remove();
  way.close();
}

function order() {
  const all = Object.keys(ways);
  const only = all.filter(name => name.toLowerCase() === choice.way.toLowerCase());
  return only.length ? only : all;
}

// Stays with a way until it breaks, or there is a better one, or the viewer wants another.
function stay(at) {
  return new Promise(resolve => {
    let over = false, seen = 0, since = performance.now(), wait = BETTER_MS;
    const done = result => {
      if (over) return;
      over = true;
      clearInterval(stillness);
      clearTimeout(climbing);
      clearTimeout(asking);
      removeEventListener("online", climb);
      resolve(result);
    };
    at.way.broken.catch(error => done({ error }));
    controls.chosen(() => done({ another: true }));
    const stillness = setInterval(async () => {
      const now = await at.way.progress();
      if (now !== seen || document.hidden || controls.paused()) {
        seen = now;
        since = performance.now();
      } else if (performance.now() - since > STILL_MS) {
        done({ error: new Error("nothing comes any more") });
      }
    }, 1000);
    const better = order().slice(0, Math.max(0, order().indexOf(at.name)));
    const climb = async () => {
      clearTimeout(climbing);
      for (const name of better) {
        if (over) return;
        try {
          const found = await begin(name, false);
          if (over) end(found.way);
          else done({ found });
          return;
        } catch (error) {
          console.info(`${name}: still not: ${error.message}`);
        }
      }
      wait = Math.min(wait * 2, BETTER_MAX_MS);
      if (!over) climbing = setTimeout(climb, wait);
    };
    let climbing = better.length ? setTimeout(climb, wait) : null;
    if (better.length) addEventListener("online", climb);
    const title = async () => {
      const told = await look();
      server = told.server ?? server;
      // Where nothing was ever said about it, it is asked for less often.
      if (!over) asking = setTimeout(title, (told.title ? 1 : 3) * TITLE_MS * (1 + Math.random()));
    };
    let asking = setTimeout(title, 0);
  });
}

// Everything between two breaks. Tries the way that was good last, then those below, then those above.
let good = null, hasty = 0;
async function session() {
  const all = order();
  // A way that broke twice soon after it began is not the first any more.
  const from = Math.max(0, all.indexOf(good)) + (hasty >= 2 ? 1 : 0);
  let shown = null, error = null;
  for (const name of [...all.slice(from), ...all.slice(0, from)]) {
    try {
      shown = await begin(name, true);
      break;
    } catch (why) {
      error = why;
      console.info(`${name}: ${why.message}`);
      const told = await look();
      if (told.air !== "live") {
        return { error, told };
      }
      if (still.hidden) poster();
    }
  }
  if (!shown) return { error };
  let before = null;
  for (;;) {
    controls.attach(shown.name, shown.way);
    if (before) end(before);
    still.hidden = true;
    set("live");
    good = shown.name;
    const next = await stay(shown);
    if (next.found) {
      before = shown.way;
      shown = next.found;
      continue;
    }
    const { element } = shown.way;
    keep(element, element.videoWidth ?? element.width, element.videoHeight ?? element.height);
    controls.detach();
    end(shown.way);
    const lasted = performance.now() - shown.since;
    if (next.another) good = null;
    return { ...next, lasted };
  }
}

async function watch() {
  let tries = 0;
  for (;;) {
    const { error, told: known, lasted, another } = await session();
    if (another) {
      set("connecting");
      continue;
    }
    if (error) console.info(error.message);
    let told = known || await look();
    if (lasted > STEADY_MS) tries = hasty = 0;
    // The other side ended it although the broadcast goes on: coming back unasked would be rude.
    if (told.air === "live" && lasted && error instanceof Ended && told.server === server && !slept()) {
      set("letgo");
      await rest(Infinity);
      set("connecting");
      continue;
    }
    if (told.air === "live" && lasted <= STEADY_MS) hasty++;
    // Who says farewell and then does not answer has closed.
    const closed = error instanceof Ended && error.farewell;
    let state;
    do {
      if (closed && told.air === "lost") told.air = "ended";
      state = OF_AIR[told.air] || (lasted ? "connecting" : error instanceof Refused ? "refused" : "unplayable");
      set(state, state === "refused" ? told.words || error.message : "");
      await rest(lasted && told.air === "live" && !tries ? 0 : growing(tries, WAIT_MAX_MS[state] || 15000));
      tries++;
      if (told.air !== "live") told = await look();
    } while (told.air !== "live");
    server = told.server ?? server;
  }
}

watch();
