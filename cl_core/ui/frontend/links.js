// The page's language, and the state of its controls in its address. A classic script in the page's head: it runs before
// Gradio starts. `RENAMED` and `RENAMED_VALUES` come before it, from `links.py`.

(() => {
  /** @type {{ names: Record<string, string>; values: Record<string, Record<string, string>> }} */
  // @ts-ignore: declared by the lines that Python puts before this script
  const renamed = { names: RENAMED, values: RENAMED_VALUES };
  const LANGUAGE_KEY = "contrastive-explorer-language";
  const THEME_KEY = "contrastive-explorer-theme";
  const OTHER_LANGUAGES = ["zh"]; // pages below the root, by code
  const WRITE_DELAY_MS = 200; // browsers allow few changes of the address a second
  const FIRST_OF_EARLIER = "views";
  const CONTROLS_OF_VIEWS = ["image", "crop", "jitter", "flip", "gray", "blur", "pair"];
  const TAB_TRIES = 100;
  const TAB_RETRY_MS = 100;

  // --- language ---------------------------------------------------------------------------------------------------------

  const path = location.pathname.replace(/\/+$/, "");
  const last = path.slice(path.lastIndexOf("/") + 1);
  const language = OTHER_LANGUAGES.includes(last) ? last : "en";
  const base = language === "en" ? path : path.slice(0, -last.length - 1);

  function stored(/** @type {string} */ key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // a frame may have no storage
    }
  }

  function store(/** @type {string} */ key, /** @type {string} */ value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // The choice holds for this page only.
    }
  }

  function pageAddress(/** @type {string} */ code) {
    return `${base}/${code === "en" ? "" : code}${location.search}${location.hash}`;
  }

  // The root answers in the reader's language; a link to another page answers in that page's.
  const preferred = stored(LANGUAGE_KEY) || (OTHER_LANGUAGES.find((code) => navigator.language.startsWith(code)) ?? "en");
  const chosenHere = OTHER_LANGUAGES.some((code) => document.referrer.startsWith(`${location.origin}${base}/${code}`)); // by its button
  if (language === "en" && OTHER_LANGUAGES.includes(preferred) && (stored(LANGUAGE_KEY) || !chosenHere)) {
    location.replace(pageAddress(preferred));
  }
  document.documentElement.lang = language === "zh" ? "zh-CN" : language;
  // Gradio's own words, of uploads and for screen readers, follow the browser's language: here they follow the page's.
  Object.defineProperty(navigator, "language", { value: document.documentElement.lang, configurable: true });

  globalThis.contrastiveLanguage = (code) => {
    store(LANGUAGE_KEY, code);
    writeAddress();
    location.assign(pageAddress(code));
  };

  // --- explanations -------------------------------------------------------------------------------------------------------

  const FOLDED_KEY = "contrastive-explorer-folded";
  // Names of explanations, with a + if they were opened on a narrow page, where they are folded at first.
  const folded = new Set((stored(FOLDED_KEY) ?? "").split(" ").filter(Boolean));
  const narrow = window.innerWidth <= 720;
  let keepingFolded = false; // during the tour: what is folded then is not remembered

  function fold(/** @type {HTMLElement} */ element) {
    const details = element.querySelector("details");
    const name = details?.dataset.fold;
    if (!details || !name) return;
    if (keepingFolded || folded.has(name) || (narrow && !folded.has(`+${name}`))) details.open = false;
    details.addEventListener("toggle", () => {
      if (keepingFolded) return;
      // On a narrow page they are folded at first: what was opened is remembered, on a wide one what was folded.
      const [remembered, noted] = narrow ? [`+${name}`, details.open] : [name, !details.open];
      if (noted) folded.add(remembered);
      else folded.delete(remembered);
      store(FOLDED_KEY, [...folded].join(" "));
    });
  }

  function keepFolded(/** @type {boolean} */ keep) {
    keepingFolded = keep;
  }

  // --- controls ---------------------------------------------------------------------------------------------------------

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  let restored = false; // until then the address is the link that was opened, which the server has yet to read
  const state = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(location.search)) {
    const present = renamed.names[name] ?? name;
    state.set(present, renamed.values[present]?.[value] ?? value);
  }

  // The reader's theme, unless the link names one. Gradio sets the system's when it starts, so it is set again after that.
  function applyTheme() {
    const theme = state.has("__theme") ? null : stored(THEME_KEY);
    if (theme) document.body.classList.toggle("dark", theme === "dark");
  }
  document.addEventListener("DOMContentLoaded", applyTheme);

  globalThis.contrastiveTheme = () => {
    const dark = document.body.classList.toggle("dark");
    store(THEME_KEY, dark ? "dark" : "light");
    state.delete("__theme");
    writeAddress();
  };

  function writeAddress() {
    clearTimeout(waiting);
    waiting = undefined;
    if (state.size && !state.has("tab") && openTab !== null) state.set("tab", openTab);
    const query = state.toString();
    history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
    // On a Space the app is a frame: the address that people see and copy is the outer page's.
    if (window.parent !== window) {
      const outer = new URLSearchParams([...state].filter(([name]) => !name.startsWith("__")));
      window.parent.postMessage({ queryString: outer.toString(), hash: location.hash }, "*");
    }
  }

  function set(/** @type {string} */ name, /** @type {unknown} */ value, /** @type {unknown} */ fallback) {
    if (!restored) return;
    const text = value === null || value === undefined ? "" : String(value);
    if (JSON.stringify(value) === JSON.stringify(fallback) || text === "") state.delete(name);
    else state.set(name, text);
    waiting ??= setTimeout(writeAddress, WRITE_DELAY_MS);
  }

  // --- tabs -------------------------------------------------------------------------------------------------------------

  // Read before the first tabs report that they are open. Links of earlier versions name no tab where they lead to the views.
  const ofEarlier = CONTROLS_OF_VIEWS.some((name) => state.has(name)) ? FIRST_OF_EARLIER : null;
  const linkedTabs = [state.get("tab") ?? ofEarlier, state.get("words")];
  /** @type {Record<string, string>} */
  let titles = {}; // of the tabs, by id

  // The controls have the link's values: open the tabs that it names.
  function restore(/** @type {Record<string, string>} */ names) {
    titles = names;
    restored = true;
    applyTheme();
    backTo = linkedTabs[0]; // the tab of the link is no step after the first tab
    linkedTabs.forEach(goTo);
    if (linkedTabs[0] === null || !Object.hasOwn(titles, linkedTabs[0])) set("tab", null, null);
  }

  /** @type {Map<string, ReturnType<typeof setInterval>>} */
  const opening = new Map(); // by level: the tabs, or those within one
  const levelOf = (/** @type {string} */ tab) => (tab.includes("-") ? tab.slice(0, tab.indexOf("-")) : "");

  // Open a tab as soon as it exists.
  function goTo(/** @type {string | null} */ tab) {
    if (tab === null || !Object.hasOwn(titles, tab)) return;
    let tries = TAB_TRIES;
    const level = levelOf(tab);
    clearInterval(opening.get(level)); // only the last tab that was asked for is opened
    const attempt = () => {
      const button = document.querySelector(`[role="tab"][data-tab-id="${tab}"]`);
      tries -= 1;
      if (button?.getAttribute("aria-selected") === "true" || tries < 0) clearInterval(opening.get(level));
      else if (button instanceof HTMLElement) button.click();
    };
    opening.set(level, setInterval(attempt, TAB_RETRY_MS));
    attempt();
  }

  // --- calls ------------------------------------------------------------------------------------------------------------

  let turn = 0;
  const nextTurn = () => (turn += 1);
  /** @type {Map<string, number>} */
  const lastCalls = new Map(); // by view

  // A view that waits for an answer is marked busy until its last call is answered; label: what it shows meanwhile.
  function start(/** @type {string} */ view, /** @type {string} */ label) {
    const element = document.getElementById(view);
    element?.setAttribute("aria-busy", "true");
    if (element) element.dataset.waiting = label;
    lastCalls.set(view, nextTurn());
    return turn;
  }

  function finish(/** @type {string} */ view, /** @type {number} */ call) {
    if (call === lastCalls.get(view)) document.getElementById(view)?.removeAttribute("aria-busy");
  }

  // A view is drawn when its tab opens, and when what all views have in common (model, batch) changes while it is open; its
  // number then changes.
  /** @type {string | null} */
  let openTab = null;
  let firstTab = "";
  /** @type {string | null} */
  let common = null;

  // Each tab that is opened is a step of the browser's history: Back leads to the tab before, not out of the app.
  /** @type {string | null} */
  let backTo = null; // the tab that the history or the link opens: no new step

  function tabOpened(/** @type {string} */ name, /** @type {string} */ first) {
    const byHand = restored && openTab !== null && openTab !== name && backTo !== name;
    if (byHand) {
      writeAddress(); // of the tab that is left
      history.pushState(history.state, "", location.href);
    }
    if (byHand || backTo === name) {
      clearInterval(opening.get(""));
      backTo = null;
    }
    [openTab, firstTab] = [name, first];
    showTab(name);
    set("tab", name, null);
    return nextTurn();
  }

  // On a narrow page the line of tabs scrolls.
  function showTab(/** @type {string} */ name) {
    const button = document.querySelector(`[role="tab"][data-tab-id="${name}"]`);
    const line = button?.closest(".tab-wrapper");
    if (!(button instanceof HTMLElement) || !line) return;
    line.scrollLeft = button.offsetLeft - (line.clientWidth - button.offsetWidth) / 2;
  }

  // Only the tab goes back: its controls stay as they were last set.
  window.addEventListener("popstate", () => {
    const tab = new URL(location.href).searchParams.get("tab") ?? firstTab;
    if (!Object.hasOwn(titles, tab)) return;
    clearTimeout(waiting); // its address is of the step that was left
    waiting = undefined;
    backTo = tab === openTab ? null : tab;
    set("tab", tab, null);
    goTo(tab);
  });

  function sharedChanged(/** @type {unknown[]} */ values, /** @type {string[]} */ names, /** @type {number[]} */ due) {
    const present = JSON.stringify(values);
    if (present === common) return due; // Gradio reports a change more than once
    common = present;
    return due.map((number, i) => (names[i] === openTab ? nextTurn() : number));
  }

  // The address of a file of this app, which a proxy may serve under a prefix: Gradio's configuration has it.
  function url(/** @type {string} */ file) {
    if (!file.startsWith("/")) return file;
    const root = new URL(globalThis.gradio_config?.root || "/", location.href).pathname.replace(/\/$/, "");
    return root + file;
  }

  const get = (/** @type {string} */ name) => state.get(name);
  globalThis.contrastiveLink = { get, set, url, fold, keepFolded, nextTurn, start, finish, goTo, restore, tabOpened, sharedChanged };
})();
