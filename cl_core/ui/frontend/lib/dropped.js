// Files that a person drops or chooses: images, or one archive.

const IMAGE = /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i; // as `cl_core.data.decoding` accepts
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tbz2?|tar\.xz|txz)$/i;

/** @typedef {import("./tar.js").Entry} Entry */
/** @typedef {{ kind: "archive" | "images"; title: string; entries: Entry[]; left: number }} Chosen */

/**
 * What to send: the images, or the archive if there is no image beside it. Other files are left out and counted.
 *
 * @param {Entry[]} entries
 * @returns {Chosen | null} null where there is nothing to send
 */
export function choose(entries) {
  const visible = entries.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX"));
  const images = visible.filter(({ path }) => IMAGE.test(path));
  if (images.length) return { kind: "images", title: titleOf(images), entries: images, left: visible.length - images.length };
  const archive = visible.find(({ path }) => ARCHIVE.test(path));
  if (!archive) return null;
  const title = baseName(archive.path).replace(ARCHIVE, "");
  return { kind: "archive", title, entries: [archive], left: visible.length - 1 };
}

/**
 * The folder that all files share, or nothing.
 *
 * @param {Entry[]} entries
 */
export function titleOf(entries) {
  const folders = new Set(entries.map(({ path }) => (path.includes("/") ? path.split("/")[0] : "")));
  return folders.size === 1 ? [...folders][0] : "";
}

/** @param {string} path */
function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * The files of dropped items, those in folders included.
 *
 * @param {FileSystemEntry[]} roots
 * @returns {Promise<Entry[]>}
 */
export async function filesOf(roots) {
  /** @type {Entry[]} */
  const found = [];
  const waiting = [...roots].reverse(); // the next one is last
  for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    } else for (const child of (await childrenOf(/** @type {FileSystemDirectoryEntry} */ (entry))).reverse()) waiting.push(child);
  }
  return found;
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function childrenOf(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}
