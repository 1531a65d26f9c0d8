// The page's language, and the state of its controls in its address. Runs before Gradio starts.
(() => {
  const KEY = "contrastive-explorer-language";
  const others = ["zh"]; // pages below the root, by code
  const path = location.pathname.replace(/\/+$/, "");
  const last = path.slice(path.lastIndexOf("/") + 1);
  const here = others.includes(last) ? last : "en";
  const base = here === "en" ? path : path.slice(0, -last.length - 1);

  function stored() {
    try { return localStorage.getItem(KEY); } catch { return null; } // a frame may have no storage
  }

  function address(language) {
    return `${base}/${language === "en" ? "" : language}${location.search}${location.hash}`;
  }

  // The root speaks the reader's language; a link to another page speaks that one's.
  const wanted = stored() || (others.find((code) => navigator.language.startsWith(code)) ?? "en");
  if (here === "en" && others.includes(wanted)) location.replace(address(wanted));
  document.documentElement.lang = here === "zh" ? "zh-CN" : here;

  window.contrastiveLanguage = (language) => {
    try { localStorage.setItem(KEY, language); } catch { /* the choice holds for this page only */ }
    flush();
    location.assign(address(language));
  };

  let waiting = null;
  const state = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(location.search)) {
    const now = RENAMED[name] ?? name;
    state.set(now, RENAMED_VALUES[now]?.[value] ?? value);
  }

  function flush() {
    clearTimeout(waiting);
    waiting = null;
    const query = state.toString();
    history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
    // On a Space the app is a frame: the address people see and share is the outer page's.
    if (window.parent !== window) {
      const shared = new URLSearchParams([...state].filter(([name]) => !name.startsWith("__")));
      window.parent.postMessage({ queryString: shared.toString(), hash: location.hash }, "*");
    }
  }

  const wantedTabs = [state.get("tab"), state.get("words")]; // before the first tabs say that they are open
  let titles = {}; // what is written on each tab, by id
  let restored = false; // until then the address is the link that was followed, which the server has yet to read

  // The controls have the link's values: open the tabs it asks for.
  function openTab(names) {
    titles = names;
    restored = true;
    wantedTabs.forEach(goTo);
    if (!Object.hasOwn(titles, wantedTabs[0])) keep("tab", null, null);
  }

  // Open a tab as soon as it is there. One that does not fit a narrow page is a button of a menu and has no id.
  function goTo(wanted) {
    if (!Object.hasOwn(titles, wanted)) return;
    let tries = 100;
    const timer = setInterval(() => {
      const tab = document.querySelector(`[role="tab"][data-tab-id="${wanted}"]`);
      const item = [...document.querySelectorAll(".overflow-dropdown button")].find((each) => each.textContent === titles[wanted]);
      if ((tab && tab.getAttribute("aria-selected") === "true") || (tries -= 1) < 0) clearInterval(timer);
      else (tab || item)?.click();
    }, 100);
  }

  let turns = 0;
  const nextTurn = () => (turns += 1); // numbers what views ask for
  const lastAsked = {};

  // A view that has asked for something says so until its last question is answered; words: what it says.
  function asked(view, words) {
    const element = document.getElementById(view);
    if (element) {
      element.setAttribute("aria-busy", "true");
      element.dataset.waiting = words;
    }
    return (lastAsked[view] = nextTurn());
  }

  function answered(view, turn) {
    if (turn === lastAsked[view]) document.getElementById(view)?.removeAttribute("aria-busy");
  }

  function keep(name, value, byDefault) {
    if (!restored) return;
    const text = value === null || value === undefined ? "" : String(value);
    if (JSON.stringify(value) === JSON.stringify(byDefault) || text === "") state.delete(name);
    else state.set(name, text);
    // Browsers allow few changes of the address a second.
    waiting ??= setTimeout(flush, 200);
  }

  // A view is drawn when its tab opens, and when what all views share (model, batch) changes while it is open; each has a
  // number that then moves.
  let open = null;
  let shared = null;

  function tabOpened(name, first) {
    open = name;
    keep("tab", name, first);
    return nextTurn();
  }

  function sharedChanged(values, names, due) {
    const now = JSON.stringify(values);
    if (now === shared) return due; // Gradio says so more than once
    shared = now;
    return due.map((number, i) => (names[i] === open ? nextTurn() : number));
  }

  window.contrastiveLink = { openTab, goTo, asked, answered, keep, tabOpened, sharedChanged, get: (name) => state.get(name) };
})();
