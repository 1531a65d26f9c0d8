import assert from "node:assert/strict";
import test from "node:test";

import { Answers, fileUrl, readLink, writeLink } from "./page.js";

/** An answer with something to draw. @param {number} [turn] */
const rows = (turn) => ({ ...(turn ? { turn } : {}), rows: [] });

test("an answer that was overtaken by a later one is skipped", () => {
  const answers = new Answers();
  assert.ok(!answers.accept(null));
  assert.ok(answers.accept(rows(2)));
  assert.ok(!answers.accept(rows(1)));
  assert.ok(answers.accept(rows(3)));
});

test("an answer that failed leaves what is drawn", () => {
  const answers = new Answers();
  assert.ok(!answers.accept({ turn: 4 }));
  assert.ok(!answers.accept(rows(3)), "it still counts as the latest");
});

test("values without a number are drawn", () => {
  const answers = new Answers();
  assert.ok(answers.accept(rows()));
  assert.ok(answers.accept(rows()));
});

test("a page without the head script has no links", () => {
  assert.equal(readLink("t"), null);
  writeLink("t", 1);
  assert.equal(fileUrl("/gradio_api/file=a"), "/gradio_api/file=a");
});
