// Updates the page when something has changed, shows a log as it grows, and filters the matrix.
// Without it, everything is there as well, but stays as it was loaded.
"use strict";
(() => {
  const root = document.body.dataset.root;
  const live = document.getElementById("live");
  const say = (text) => { if (live && live.textContent !== text) live.textContent = text; };

  // Times: that of the reader's own zone, on hover.
  const times = (within) => {
    for (const time of within.querySelectorAll("time")) {
      const own = new Date(time.dateTime);
      if (!Number.isNaN(own.getTime())) {
        time.title = own.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })
          + "\n" + time.dateTime.slice(0, 16).replace("T", " ") + " UTC";
      }
    }
  };

  // The filter of the matrix.
  const filter = document.getElementById("filter");
  const applyFilter = () => {
    if (!filter) return;
    const word = filter.value.toLowerCase();
    let shown = 0;
    for (const row of document.querySelectorAll("#matrix tbody tr")) {
      row.hidden = !row.dataset.name.toLowerCase().includes(word);
      if (!row.hidden) shown += 1;
    }
    document.getElementById("count").textContent = shown + " shown";
  };
  if (filter) {
    filter.form.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", applyFilter);
  }
  // All rows are loaded, so that each of them can be found without asking again.
  const address = () => (filter ? location.pathname : location.href);

  // Puts the parts of a new page in the place of the old ones, where they differ by more than how
  // long ago something was: a page on a wall is quiet while nothing happens.
  const shown = new WeakMap();
  const news = (part) => {
    const copy = part.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = "";
    return copy.innerHTML;
  };
  for (const part of document.querySelectorAll("[data-live]")) shown.set(part, news(part));
  const nameOf = (details) => details.firstElementChild.textContent;
  const replace = (page) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      const fromNow = news(fresh);
      if (fromNow === shown.get(part)) {
        const ago = fresh.querySelectorAll("time");
        const old = [...part.querySelectorAll("time")];
        old.forEach((one, at) => { one.textContent = ago[at].textContent; });
        continue;
      }
      const focused = part.contains(document.activeElement) && document.activeElement;
      const { scrollLeft, scrollTop } = part;
      const open = new Set([...part.querySelectorAll("details[open]")].map(nameOf));
      shown.set(part, fromNow);
      part.replaceChildren(...fresh.childNodes);
      for (const one of part.querySelectorAll("details")) one.open = open.has(nameOf(one));
      part.scrollLeft = scrollLeft;
      part.scrollTop = scrollTop;
      if (focused) {
        const same = [...part.querySelectorAll(focused.tagName)].find(
          (one) => one.getAttribute("href") === focused.getAttribute("href"));
        (same || document.getElementById("main")).focus({ preventScroll: true });
      }
      part.classList.remove("fresh");
      void part.offsetWidth;
      part.classList.add("fresh");
      times(part);
    }
    applyFilter();
  };

  let isLoading = false;
  let isAsked = false;
  const load = async () => {
    if (isLoading) { isAsked = true; return; }
    isLoading = true;
    try {
      const answer = await fetch(address(), { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok) { replace(page); say(""); } else { say("not available at the moment"); }
    } catch { say("no connection"); }
    isLoading = false;
    if (isAsked) { isAsked = false; load(); }
  };

  // A browser opens only six connections to a server, for all its tabs and for the pages that it
  // keeps for the way back. So a page that nobody sees has none.
  const listen = (address, listeners) => {
    let source;
    let again;
    let isOver = false;
    const end = () => { isOver = true; source.close(); };
    const look = () => {
      if (source) source.close();
      clearTimeout(again);
      if (document.hidden || isOver) return;
      source = new EventSource(address());
      for (const [name, listener] of Object.entries(listeners)) {
        source.addEventListener(name, (event) => listener(event, end));
      }
      // After an answer that is no stream, the browser does not try again by itself.
      const own = source;
      own.addEventListener("error", () => {
        if (own.readyState === EventSource.CLOSED && !isOver) again = setTimeout(look, 5000);
      });
    };
    document.addEventListener("visibilitychange", look);
    look();
  };

  // The log.
  const log = document.getElementById("log");
  if (log && log.dataset.follow) {
    let { from } = log.dataset;
    let length = log.textContent.length;
    const state = document.createElement("p");
    state.className = "small";
    state.setAttribute("role", "status");
    log.after(state);
    listen(() => log.dataset.follow + "?from=" + from, {
      output: (event) => {
        const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        from = event.lastEventId;
        for (const [text, classes] of JSON.parse(event.data)) {
          length += text.length;
          if (classes) {
            const span = document.createElement("span");
            span.className = classes;
            span.textContent = text;
            log.append(span);
          } else {
            log.append(text);
          }
        }
        // A log that has grown for days must not fill the memory.
        while (log.childNodes.length > 20000 || (length > 4e6 && log.childNodes.length > 1)) {
          length -= log.firstChild.textContent.length;
          log.firstChild.remove();
        }
        if (follow) log.scrollTop = log.scrollHeight;
      },
      open: () => { state.textContent = ""; },
      error: () => { state.textContent = "The output does not go on here at the moment."; },
      end: (event, end) => { end(); load(); },
      reload: (event, end) => { end(); location.reload(); },
    });
    log.scrollTop = log.scrollHeight;
  }

  // Changes. What happened before the server was listened to is loaded as well.
  if (document.querySelector("[data-live]")) {
    // A list of repositories has no events of its own.
    if (root !== undefined) {
      listen(() => root + "/events", {
        change: load,
        open: load,
        error: () => say("no connection"),
      });
    }
    // What time alone changes: how long ago something was.
    setInterval(() => { if (!document.hidden) load(); }, root === undefined ? 10000 : 60000);
  }

  // A page that says why another one can't be shown is that other one as soon as it can be.
  if (document.body.dataset.again !== undefined) {
    setInterval(async () => {
      if (document.hidden) return;
      const answer = await fetch(location.href).catch(() => ({ ok: false }));
      if (answer.ok) location.reload();
    }, 5000);
  }
  times(document);
  if (filter && filter.value) load().then(applyFilter);
})();
