// The time of a training: play, pause, step, and a scrubber between its snapshots.

const ICONS = { play: "M3 1l11 7-11 7z", pause: "M3 1h3.6v14H3zM9.4 1H13v14H9.4z", back: "M2 2h2v12H2zM14 2v12L5 8z", ahead: "M12 2h2v12h-2zM2 2l9 6-9 6z" };
const SECONDS_A_SNAPSHOT = 0.9;

// on(moment) is told the place, 0 to count - 1, whole numbers being snapshots. words: texts.
function player(words, on) {
  const node = build("div", "cl-player");
  const make = (icon, label) => {
    const button = build("button", "cl-player-button");
    button.append(svgNode(16, 16, [`<path d="${icon}" fill="currentColor"/>`]));
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    return button;
  };
  const back = make(ICONS.back, words.step_back), play = make(ICONS.play, words.play), ahead = make(ICONS.ahead, words.step_on);
  const scrubber = document.createElement("input");
  Object.assign(scrubber, { type: "range", min: 0, step: "any", value: 0 });
  scrubber.setAttribute("aria-label", words.moment);
  const said = build("output", "cl-moment", "");
  node.append(back, play, ahead, scrubber, said);
  let last = 0, running = null, epochs = [];

  function go(moment) {
    scrubber.value = Math.min(last, Math.max(0, moment));
    const at = Number(scrubber.value);
    const [low, share] = [Math.min(last, Math.floor(at)), at - Math.floor(at)];
    const epoch = epochs[low] + share * ((epochs[low + 1] ?? epochs[low]) - epochs[low]);
    said.textContent = say(words.epoch, { epoch: epoch >= 10 ? epoch.toFixed(0) : epoch.toFixed(1) });
    scrubber.setAttribute("aria-valuetext", said.textContent);
    on(at, epoch);
  }

  function pause() {
    if (running !== null) cancelAnimationFrame(running);
    running = null;
    play.querySelector("path").setAttribute("d", ICONS.play);
    play.setAttribute("aria-label", words.play);
  }

  function start() {
    if (Number(scrubber.value) >= last) go(0);
    play.querySelector("path").setAttribute("d", ICONS.pause);
    play.setAttribute("aria-label", words.pause);
    let before = performance.now();
    const frame = (now) => {
      go(Number(scrubber.value) + (now - before) / 1000 / SECONDS_A_SNAPSHOT);
      before = now;
      if (Number(scrubber.value) >= last) pause();
      else running = requestAnimationFrame(frame);
    };
    running = requestAnimationFrame(frame);
  }

  play.addEventListener("click", () => (running === null ? start() : pause()));
  back.addEventListener("click", () => { pause(); go(Math.ceil(Number(scrubber.value)) - 1); });
  ahead.addEventListener("click", () => { pause(); go(Math.floor(Number(scrubber.value)) + 1); });
  scrubber.addEventListener("input", () => { pause(); go(Number(scrubber.value)); });
  return {
    node, go, pause,
    at: () => Number(scrubber.value),
    load(theirs) { pause(); epochs = theirs; last = theirs.length - 1; scrubber.max = last; },
  };
}
