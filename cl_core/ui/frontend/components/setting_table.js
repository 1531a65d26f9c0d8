// All settings of a run in groups: those that differ from their defaults are marked.

import { mountComponent } from "../lib/component.js";
import { fill } from "../lib/formats.js";
import { boundsOf } from "../lib/settings.js";
import { build, buildInput } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, Setting, SettingGroup, SettingsValue, Strings } from "../types.js" */
/** @typedef {Context<SettingsValue, { groups: SettingGroup[]; strings: Strings }>} TableContext */
/** @typedef {{ node: HTMLElement; show(value: string): void }} Row */

/** @param {TableContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    /** @type {Map<string, Row>} */
    const rows = new Map();
    const form = build("div", "cl-settings");
    const sections = context.props.groups.map(({ title, methods, settings }) => {
      const section = build("fieldset");
      section.append(build("legend", "", title));
      for (const setting of settings) {
        const row = settingRow(scope, context, setting);
        rows.set(setting.name, row);
        section.append(row.node);
      }
      form.append(section);
      return { section, methods };
    });
    root.replaceChildren(form);
    return ({ method, given }) => {
      for (const { section, methods } of sections) section.hidden = methods.length > 0 && !methods.includes(method);
      for (const [name, row] of rows) row.show(given[name] ?? "");
    };
  });
}

/** @param {Scope} scope @param {TableContext} context @param {Setting} setting @returns {Row} */
function settingRow(scope, context, setting) {
  const { name, kind, hint } = setting;
  const node = build("label", "cl-setting");
  const control = buildControl(setting);
  const known = build("span", "cl-setting-bounds", boundsOf(setting, (value) => fill(context.props.strings.default, { value })));
  node.append(build("span", "cl-setting-name", name), control, build("span", "cl-setting-hint", hint), known);
  const read = () => (control instanceof HTMLInputElement && kind === "flag" ? String(control.checked) : control.value.trim());
  let typing = false; // since the last change: an answer about another field does not replace it
  scope.listen(control, "input", () => (typing = true));
  scope.listen(control, "blur", () => (typing = false));
  scope.listen(control, "change", () => {
    typing = false;
    const value = read();
    context.trigger("setting_change", { name, value: value === setting.default ? "" : value });
  });
  return {
    node,
    show: (given) => {
      const value = given || setting.default;
      if (control instanceof HTMLInputElement && kind === "flag") control.checked = value === "true";
      else if (!typing) control.value = value;
      node.classList.toggle("cl-setting-changed", given !== "" && given !== setting.default);
    },
  };
}

/** @param {Setting} setting */
function buildControl({ kind, choices, low, high }) {
  if (kind === "choice") {
    const select = build("select");
    select.append(...choices.map((choice) => Object.assign(build("option", "", choice), { value: choice })));
    return select;
  }
  if (kind === "flag") return buildInput({ type: "checkbox" });
  if (kind === "text") return buildInput({ type: "text", maxlength: "100" });
  const bounds = { ...(low === null ? {} : { min: String(low) }), ...(high === null ? {} : { max: String(high) }) };
  return buildInput({ type: "number", step: kind === "whole" ? "1" : "any", ...bounds });
}
