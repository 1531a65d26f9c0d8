import assert from "node:assert/strict";
import test from "node:test";

import { decode } from "./decode.js";

test("typed arrays survive base64", () => {
  for (const values of [Float32Array.of(0.5, -1e-8, 3e30), Int16Array.of(-32768, 0, 32767), Uint8Array.of(0, 255)]) {
    const base64 = Buffer.from(values.buffer).toString("base64");
    const Type = /** @type {new (buffer: ArrayBuffer) => typeof values} */ (values.constructor);
    assert.deepEqual(decode(base64, Type), values);
  }
});

test("no bytes give an empty array", () => {
  assert.equal(decode("", Float32Array).length, 0);
});
