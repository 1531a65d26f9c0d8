import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { paxRecord, tarOf } from "./tar.js";

const READ = `
import json, sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    print(json.dumps([[each.name, tar.extractfile(each).read().decode()] for each in tar]))
`;

test("another program reads names and contents", async () => {
  const files = [
    ["cats/a.png", "one"],
    ["猫/图 1.jpg", "x".repeat(512)],
    [`${"deep/".repeat(30)}b.png`, ""],
    ["c.png", "y".repeat(513)],
  ];
  const blob = tarOf(files.map(([path, text]) => ({ path, file: new Blob([text]) })));
  assert.equal(blob.size % 512, 0);
  const path = join(mkdtempSync(join(tmpdir(), "tar-")), "x.tar");
  writeFileSync(path, Buffer.from(await blob.arrayBuffer()));
  assert.deepEqual(JSON.parse(execFileSync("python3", ["-c", READ, path], { encoding: "utf8" })), files);
});

test("the length of a record counts its own digits", () => {
  assert.equal(paxRecord("path", "a"), "9 path=a\n");
  for (const size of [1, 80, 90, 91, 92, 93, 989, 990, 991]) {
    const record = paxRecord("path", "a".repeat(size));
    assert.equal(parseInt(record), record.length);
  }
});

test("an archive without files is empty", () => assert.equal(tarOf([]).size, 1024));
