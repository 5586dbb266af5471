// SPDX-License-Identifier: GPL-3.0-or-later
// Takes endless streams of pictures apart. Each function wants what is to be done with a picture (a Blob; a promise is
// waited for) and returns what is to be told of each piece of the stream.

// Bytes that came and are not used yet.
class Rest {
  bytes = new Uint8Array(0);

  add(piece) {
    const all = new Uint8Array(this.bytes.length + piece.length);
    all.set(this.bytes);
    all.set(piece, this.bytes.length);
    this.bytes = all;
  }

  take(size) {
    const taken = this.bytes.slice(0, size);
    this.bytes = this.bytes.subarray(size);
    return taken;
  }
}

const LONGEST_HEAD = 4096;

// MJPEG: each picture has a head that tells its length.
export function mjpeg(paint) {
  const rest = new Rest();
  return async piece => {
    rest.add(piece);
    let newest = null;
    for (;;) {
      const head = new TextDecoder("latin1").decode(rest.bytes.subarray(0, LONGEST_HEAD));
      const end = head.indexOf("\r\n\r\n");
      const length = /content-length: *(\d+)/i.exec(head.slice(0, Math.max(end, 0)));
      if (end < 0 && head.length === LONGEST_HEAD || end >= 0 && !length) throw new Error("no MJPEG");
      if (end < 0 || rest.bytes.length < end + 4 + Number(length[1])) break;
      rest.take(end + 4);
      newest = rest.take(Number(length[1]));
    }
    // Of those that came at once, only the last is of any use.
    if (newest) await paint(new Blob([newest], { type: "image/jpeg" }));
  };
}

// GIF: a header, then blocks. Each picture is made a GIF of its own, to be painted over those before.
export function gif(paint) {
  const rest = new Rest();
  let header = null;
  let control = null;   // says which colour is none, of the picture that follows
  return async piece => {
    rest.add(piece);
    if (!header) {
      const size = rest.bytes.length < 13 ? Infinity : 13 + table(rest.bytes[10]);
      if (rest.bytes.length < size) return;
      header = rest.take(size);
      if (String.fromCharCode(...header.subarray(0, 3)) !== "GIF") throw new Error("no GIF");
    }
    for (let size = block(rest.bytes); size && rest.bytes.length >= size; size = block(rest.bytes)) {
      const whole = rest.take(size);
      if (whole[0] === 0x2c) {
        const parts = [header, control, whole, new Uint8Array([0x3b])].filter(Boolean);
        control = null;
        await paint(new Blob(parts, { type: "image/gif" }));
      } else if (whole[1] === 0xf9) {
        control = whole;
      }
    }
  };
}

// Bytes of a table of colours, as its flags say.
function table(flags) { return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0; }

// The size of the block that begins here; 0 while it is not known.
function block(bytes) {
  if (bytes[0] === 0x3b) throw new Error("the GIF ended");
  let next;
  if (bytes[0] === 0x21) next = 2;
  else if (bytes[0] === 0x2c && bytes.length > 9) next = 11 + table(bytes[9]);
  else if (bytes.length === 0 || bytes[0] === 0x2c) return 0;
  else throw new Error("no GIF");
  while (next < bytes.length) {
    if (bytes[next] === 0) return next + 1;
    next += 1 + bytes[next];
  }
  return 0;
}
