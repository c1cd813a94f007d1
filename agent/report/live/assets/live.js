"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const every = 2000;
  let shown = 0;
  let over = false;

  // Names come from a problem set or a model: they go in as text, never as markup.
  function make(tag, kind, text) {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    node.textContent = text;
    return node;
  }
  function put(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }
  function count(value) { return value.toLocaleString("en"); }

  function draw(data) {
    const state = data.state;
    const title = [state.set, state.model].filter(Boolean).join(", ") || state.folder;
    document.title = `${state.done}/${state.problems} ${title}`;
    put("title", title);
    put("about", `sstar ${state.command || "?"} in ${state.folder}: ${state.state}${state.why ? ": " + state.why : ""}`);
    $("bar").max = Math.max(1, state.problems);
    $("bar").value = state.done;
    put("done", `${count(state.done)} of ${count(state.problems)}`);
    put("errors", count(state.errors));
    put("right", data.graded ? `${count(data.right)} of ${count(data.graded)}` : "-");
    put("calls", count(data.calls));
    put("runs", count(data.runs));
    $("report").hidden = !data.has_page;
    if (data.rows.length < shown) { $("rows").replaceChildren(); shown = 0; }
    for (const [id, outcome, kind, samples] of data.rows.slice(shown)) {
      const row = document.createElement("tr");
      row.append(make("td", "", id), make("td", kind, outcome), make("td", "", samples));
      $("rows").prepend(row);
    }
    shown = data.rows.length;
    over = state.state === "finished";
  }
  async function poll() {
    try {
      const answer = await fetch("progress.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      draw(await answer.json());
      put("trouble", "");
    } catch (error) { put("trouble", `No news: ${error.message}. sstar view may have ended; the page tries again.`); }
    setTimeout(poll, over ? 5 * every : every);
  }
  poll();
})();
