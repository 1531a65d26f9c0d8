import assert from "node:assert/strict";
import test from "node:test";

import { choose, filesOf } from "./dropped.js";

const entries = (/** @type {string[]} */ ...paths) => paths.map((path) => ({ path, file: new Blob(["x"]) }));

test("images of a folder are sent, other and hidden files are left out", () => {
  const chosen = choose(entries("pets/cat/1.JPG", "pets/dog/2.webp", "pets/notes.txt", "pets/.hidden/3.png", "pets/__MACOSX/4.png"));
  assert.equal(chosen?.kind, "images");
  assert.equal(chosen?.title, "pets");
  assert.deepEqual(chosen?.entries.map(({ path }) => path), ["pets/cat/1.JPG", "pets/dog/2.webp"]);
  assert.equal(chosen?.left, 1);
});

test("files without a common folder have no title", () => {
  assert.equal(choose(entries("1.png", "2.png"))?.title, "");
  assert.equal(choose(entries("a/1.png", "b/2.png"))?.title, "");
});

test("an archive is sent as it is, unless there are images", () => {
  for (const name of ["birds.zip", "birds.tar.gz", "birds.TGZ", "birds.tar.xz"]) {
    assert.deepEqual([choose(entries(name))?.kind, choose(entries(name))?.title], ["archive", "birds"]);
  }
  assert.equal(choose(entries("birds.zip", "1.png"))?.kind, "images");
});

test("nothing to send", () => {
  assert.equal(choose([]), null);
  assert.equal(choose(entries("notes.txt", ".zip.swp")), null);
});

test("folders are read to their end, a part at a time", async () => {
  const file = (/** @type {string} */ fullPath) => ({ isFile: true, fullPath, file: (/** @type {any} */ done) => done(new Blob([fullPath])) });
  const folder = (/** @type {any[]} */ parts) => ({
    isFile: false,
    createReader: () => ({ readEntries: (/** @type {any} */ done) => done(parts.shift() ?? []) }),
  });
  const inner = folder([[file("/a/b/3.png")]]);
  const root = folder([[file("/a/1.png"), inner], [file("/a/2.png")]]);
  const found = await filesOf(/** @type {any} */ ([root, file("/x.png")]));
  assert.deepEqual(found.map(({ path }) => path), ["a/1.png", "a/b/3.png", "a/2.png", "x.png"]);
});
