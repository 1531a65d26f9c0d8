// A tar archive of files that are not read: the browser sends their bytes from where they lie.

const BLOCK = 512; // bytes
const MAX_NAME = 100; // bytes in a header
const OCTAL_LIMIT = 8 ** 11; // bytes of a file whose size a header can state

/** @typedef {{ path: string; file: Blob }} Entry */

/**
 * @param {Entry[]} entries paths with slashes
 * @returns {Blob}
 */
export function tarOf(entries) {
  /** @type {BlobPart[]} */
  const parts = [];
  for (const { path, file } of entries) {
    const name = new TextEncoder().encode(path);
    if (name.length > MAX_NAME || name.length !== path.length || file.size >= OCTAL_LIMIT) {
      const records = [paxRecord("path", path), paxRecord("size", String(file.size))].join("");
      const content = new TextEncoder().encode(records);
      parts.push(header("pax", content.length, "x"), content, padding(content.length));
    }
    parts.push(header(path, file.size % OCTAL_LIMIT, "0"), file, padding(file.size));
  }
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
}

/**
 * A record of an extended header: its length, which counts its own digits, key and value (POSIX.1-2001, pax).
 *
 * @param {string} key
 * @param {string} value
 */
export function paxRecord(key, value) {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/**
 * @param {string} path cut where it is too long: then an extended header has all of it
 * @param {number} size bytes
 * @param {"0" | "x"} kind a file, or an extended header
 */
function header(path, size, kind) {
  const block = new Uint8Array(BLOCK);
  const put = (/** @type {string} */ text, /** @type {number} */ at, /** @type {number} */ most) =>
    block.set(new TextEncoder().encode(text).subarray(0, most), at);
  put(path, 0, MAX_NAME);
  put("0000644\0", 100, 8);
  put("0000000\0", 108, 8);
  put("0000000\0", 116, 8);
  put(`${size.toString(8).padStart(11, "0")}\0`, 124, 12);
  put(`${"0".repeat(11)}\0`, 136, 12);
  put(" ".repeat(8), 148, 8); // the checksum counts itself as spaces
  put(kind, 156, 1);
  put("ustar\0" + "00", 257, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

/** @param {number} size */
function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}
