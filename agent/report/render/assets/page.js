"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const table = $("table");
  const rows = [...table.tBodies[0].rows];
  const sections = new Map(rows.map((row) => [row, $("p-" + row.dataset.k)]));

  // Everything that comes from a model, a program or a data set goes in as text, never as markup.
  function make(tag, kind, ...inside) {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    for (const item of inside) if (item !== null && item !== undefined && item !== "") node.append(item);
    return node;
  }
  function text(value) {
    return Array.isArray(value) ? value[0] : String(value ?? "");
  }
  function pre(value, kind) {
    const node = make("pre", kind, text(value));
    if (Array.isArray(value)) node.append(make("span", "cutnote", `\n[${value[1].toLocaleString("en")} characters left out]`));
    return node;
  }
  // Python in colours: strings, comments, numbers, words of the language, names that are defined.
  const TOKENS = new RegExp([
    /(#[^\n]*)/, /([rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))/,
    /\b(False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|match|case)\b/,
    /\b(\d[\w.]*)/, /((?<=\b(?:def|class)\s+)\w+)/, /\w+/,
  ].map((part) => part.source).join("|"), "g");
  const KINDS = ["", "tok-c", "tok-s", "tok-w", "tok-n", "tok-f"];
  function code(value) {
    const source = text(value), node = make("pre", "code");
    let end = 0;
    for (const found of source.matchAll(TOKENS)) {
      const place = KINDS.findIndex((kind, number) => kind && found[number] !== undefined);
      if (place < 0) continue;
      node.append(source.slice(end, found.index), make("span", KINDS[place], found[0]));
      end = found.index + found[0].length;
    }
    node.append(source.slice(end));
    if (Array.isArray(value)) node.append(make("span", "cutnote", `\n[${value[1].toLocaleString("en")} characters left out]`));
    return node;
  }
  function shownInput(item) {
    return make("div", "", pre(item.input), item.outside ? make("span", "outside", "outside the contract") : "");
  }
  function legend(names) {
    const list = make("dl", "legend");
    for (const entry of $("legend").children) if (names.includes(entry.firstChild.textContent)) list.append(entry.cloneNode(true));
    return list;
  }
  const TERMS = JSON.parse($("legend").dataset.terms);

  function fold(title, fill, open) {
    const node = make("details", "", make("summary", "", title));
    let filled = false;
    const show = () => { if (!filled) { filled = true; node.append(...fill()); } };
    node.addEventListener("toggle", show);
    if (open) { show(); node.open = true; }
    return node;
  }
  function grid(heads, lines) {
    const head = make("tr", "", ...heads.map((name) => { const th = make("th", "", name); th.scope = "col"; return th; }));
    const body = make("tbody", "", ...lines.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", cell)))));
    const box = make("div", "scroll", make("table", "", make("thead", "", head), body));
    box.tabIndex = 0;
    return box;
  }
  const percent = (value) => (100 * value).toFixed(1) + "%";
  const verdict = (name) => make("span", "mark " + (name === "AC" ? "right" : name ? "wrong" : "none"), name || "not graded");

  // The longest common lines of two programs; null where they are too long to compare.
  function diff(before, after) {
    const a = before.split("\n"), b = after.split("\n");
    if (a.length * b.length > 1e6) return null;
    const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    const lines = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { lines.push(["same", "  " + a[i]]); i++; j++; }
      else if (i < a.length && (j === b.length || best[i + 1][j] >= best[i][j + 1])) lines.push(["cut", "- " + a[i++]]);
      else lines.push(["add", "+ " + b[j++]]);
    }
    return lines;
  }
  function changes(before, after) {
    const lines = diff(text(before), text(after));
    if (lines === null) return pre(after);
    return make("pre", "", ...lines.map(([kind, line]) => make("span", kind, line + "\n")));
  }

  function candidate(data, sample, rounds) {
    const parts = [];
    const stands = rounds.find((row) => row[4]) || rounds[0];
    rounds.forEach((row, place) => {
      const [number, which, passed, total, best, hidden] = row;
      const line = make("p", "", `${number ? "Debug round " + number : "First answer"}: public ${passed} of ${total}, hidden `,
        verdict(hidden), best ? ", stands for the sample" : "");
      parts.push(line);
      const told = data.feedback[sample + "." + number];
      if (told) parts.push(fold("What this round was told", () => [pre(told, "prose")]));
      if (which === null) { parts.push(make("p", "soft", "The answer held no program.")); return; }
      const earlier = place && rounds[place - 1][1];
      if (place && earlier !== null) {
        parts.push(make("p", "soft", earlier === which ? "The same program as in the round before." : "Changes to the round before:"));
        if (earlier !== which) parts.push(changes(data.codes[earlier], data.codes[which]));
        parts.push(fold("Whole program", () => [code(data.codes[which])]));
      } else parts.push(code(data.codes[which]));
    });
    if (data.failed[sample]) parts.push(make("p", "warn", "The sample ended with a failed call: " + data.failed[sample]));
    const by = data.methods.filter((method) => method.chosen === sample).map((method) => method.method);
    const title = make("span", "", `Sample ${sample}: public ${stands[2]} of ${stands[3]}, hidden `, verdict(stands[5]),
      rounds.length > 1 ? `, ${rounds.length} rounds` : "", by.length ? `, chosen by ${by.join(", ")}` : "");
    return [title, parts];
  }

  function selection(data, method) {
    const parts = [make("p", "", method.why)];
    const clusters = method.clusters || [];
    if (clusters.length) {
      const weighed = method.evidence || [];
      const names = [...new Set(weighed.flatMap((item) => Object.keys(item.terms)))];
      parts.push(make("h3", "", `Clusters: samples that did the same on every input`));
      const shown = names.map((name) => TERMS[name] || name);
      parts.push(grid(["cluster", "samples", "hidden", ...shown, ...(weighed.length ? ["before", "after"] : [])],
        clusters.map((members, place) => {
          const seen = [...new Set(members.map((one) => {
            const rounds = data.samples[one] || [];
            return (rounds.find((row) => row[4]) || rounds[0] || [])[5] || "-";
          }))];
          const own = weighed[place];
          return [place + (members.includes(method.chosen) ? " (chosen)" : ""), members.join(", "), make("span", "", ...seen.flatMap((name) => [verdict(name), " "])),
            ...names.map((name) => own && name in own.terms ? own.terms[name].toFixed(2) : ""),
            ...(own ? [percent(own.prior), percent(own.posterior)] : [])];
        })));
      if (weighed.length) parts.push(legend([...shown, "before", "after"]));
    }
    if (method.distinguishing) {
      parts.push(make("h3", "", "Distinguishing inputs, and what each cluster did"));
      parts.push(grid(["input", ...clusters.map((_, place) => "cluster " + place)],
        method.distinguishing.map((item) => [shownInput(item), ...clusters.map((_, place) => place in item.outputs ? pre(item.outputs[place]) : "-")])));
    }
    if (method.asked) {
      parts.push(make("h3", "", "Questions to the judge"));
      parts.push(grid(["input", "outputs shown", "answer", "belief after"], method.asked.map((item) => [
        pre(item.input),
        make("div", "", ...item.options.flatMap((shown, place) => [make("div", "soft", `${"ABCD"[place]}: cluster ${item.clusters[place].join(", ")}`), pre(shown)])),
        make("strong", "", item.answer), item.posterior.map((one, place) => `cluster ${place}: ${percent(one)}`).join(", ")])));
    }
    if (method.derived) {
      parts.push(make("h3", "", "Inputs whose right output was found out"));
      parts.push(grid(["input", "output", "sure", "why"], method.derived.map((item) => [shownInput(item), pre(item.output), percent(item.confidence), item.why])));
    }
    if (method.notes) parts.push(make("p", "soft", "Notes: " + method.notes.join("; ")));
    if (parts.length === 1) parts.push(make("p", "soft", "This method leaves no evidence."));
    return parts;
  }

  function fill(data) {
    const parts = [];
    if (data.error) parts.push(make("p", "warn", data.error));
    if (data.methods.length) parts.push(make("p", "why", data.methods[0].why));
    if (data.statement) {
      parts.push(fold("Statement", () => [pre(data.statement, "prose"), ...(text(data.starter) ? [code(data.starter)] : [])], true));
      if (data.public.length) parts.push(fold(`Public tests (${data.public.length} shown, ${data.hidden} hidden ones)`, () => [grid(["input", "output"], data.public.map((test) => test.map((value) => pre(value))))]));
    } else if (text(data.prompt)) parts.push(fold("What the model was asked", () => [pre(data.prompt, "prose")], true));
    if (data.samples.length) {
      parts.push(make("h3", "", "Candidates"));
      data.samples.forEach((rounds, sample) => {
        const [title, inside] = candidate(data, sample, rounds);
        parts.push(fold(title, () => inside));
      });
    } else parts.push(make("p", "soft", "Not finished: candidates are shown once the problem is."));
    if (data.methods.length) parts.push(make("h3", "", "Selection"));
    data.methods.forEach((method, place) => {
      const found = method.chosen === null || method.chosen === undefined ? "chose none" : `chose sample ${method.chosen}`;
      const judged = "right" in method ? make("span", "mark " + (method.right ? "right" : "wrong"), method.right ? "right, " : "not right, ") : "";
      const sure = "confidence" in method ? percent(method.confidence) : "not known";
      const title = make("span", "", `${method.method}: ${found}, `, judged, `confidence ${sure}, ${method.calls} calls, ${method.tokens.toLocaleString("en")} tokens, ${method.executions} runs`);
      parts.push(fold(title, () => selection(data, method), place === 0));
    });
    if (data.answers.length)
      parts.push(fold(`Answers to selection's questions (${data.answers.length})`, () => data.answers.flatMap(([stage, which, said, tokens]) =>
        [make("p", "", make("strong", "", `${stage} ${which}`), ` (${tokens} tokens)`), pre(said, "prose")])));
    if (data.stages.length)
      parts.push(fold("Cost by stage", () => [grid(["stage", "calls", "prompt tokens", "output tokens", "model s", "runs", "CPU s"],
        data.stages.map((line) => line.map((value) => typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 2 }) : value)))]));
    return parts;
  }

  async function unpack(place) {
    const packed = Uint8Array.from(atob($("d-" + place).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  for (const section of sections.values()) {
    section.addEventListener("toggle", async () => {
      if (!section.open || section.dataset.filled) return;
      section.dataset.filled = "yes";
      const body = make("div", "body");
      section.append(body);
      try { body.append(...fill(await unpack(section.dataset.k))); }
      catch (error) { body.append(make("p", "warn", "This browser cannot unpack the details: " + error.message)); }
    });
  }
  function follow() {
    const section = /^#p-\d+$/.test(location.hash) && $(location.hash.slice(1));
    if (section) { section.hidden = false; section.open = true; section.querySelector("summary").focus({ preventScroll: true }); section.scrollIntoView(); }
  }
  addEventListener("hashchange", follow);
  table.addEventListener("click", (event) => { if (event.target.hash === location.hash) follow(); });

  // sorting
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => { const cell = row.cells[column]; return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim(); };
    const keyed = rows.map((row, place) => [value(row), place, row]);
    keyed.sort(([a, i], [b, j]) => ((typeof a === "number" ? a - b : a.localeCompare(b)) || i - j) * (down ? -1 : 1));
    table.tBodies[0].append(...keyed.map((item) => item[2]));
    $("list").append(...keyed.map((item) => sections.get(item[2])));
  }));

  // filtering
  const words = $("words"), outcome = $("outcome");
  const haystack = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!outcome.value || row.dataset.outcome === outcome.value) && wanted.every((word) => haystack.get(row).includes(word));
      row.hidden = sections.get(row).hidden = !fits;
      shown += fits;
    }
    $("shown").textContent = `${shown} of ${rows.length} problems`;
  }
  words.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  filter();
  follow();
})();
