// A logarithmic range input. `element`, `props` and `trigger` come from Gradio.
const STEPS = 120;
const span = Math.log(props.high / props.low);

const label = build("label", "cl-label");
const name = build("span", "cl-name", props.label);
const shown = build("output", "cl-value");
const input = document.createElement("input");
input.type = "range";
input.min = 0;
input.max = STEPS;
input.step = 1;
label.append(name, shown, build("span", "cl-hint", props.hint), input);
const ends = build("div", "cl-ends");
ends.append(build("span", "", String(props.low)), build("span", "", String(props.high)));
root.replaceChildren(label, ends);

function position(value) {
  return Math.round((Math.log(value / props.low) / span) * STEPS);
}

function show(value) {
  shown.textContent = Number(value).toPrecision(2);
  input.setAttribute("aria-valuetext", shown.textContent);
  input.style.setProperty("--cl-share", `${(100 * input.value) / STEPS}%`);
}

input.value = position(props.value);
show(props.value);
input.addEventListener("input", () => {
  const value = props.low * Math.exp((span * input.value) / STEPS);
  show(value);
  props.value = value;
  trigger("slide");
});
