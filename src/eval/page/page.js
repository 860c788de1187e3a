// The questions of the page. Data is in <script type="application/json"> elements: an index a benchmark, and an element a question that
// is parsed when somebody opens it. Every text becomes a text node: nothing that a model wrote is read as HTML.
"use strict";
(() => {
  const rowsAtOnce = 100;

  const element = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const classOf = (name) => "c-" + name.replace(/[^a-z]+/g, "-");
  const stored = (id) => document.getElementById(id).textContent;
  const count = (n) => n.toLocaleString("en");

  /** A <details> that is filled when it is first opened. */
  const foldable = (className, summary, fill) => {
    const details = element("details", className);
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) fill(details);
    });
    return details;
  };

  const folded = (title, text) => foldable("", element("summary", "soft", title), (details) => details.append(element("pre", "text", text)));

  const answerText = ([before, marked, after]) => {
    const text = element("pre", "text");
    text.append(before);
    if (marked) text.append(element("mark", "", marked));
    text.append(after);
    return text;
  };

  const sampleNode = (sample, classes) => {
    const name = classes[sample.class];
    const summary = element("summary");
    summary.append(element("span", "chip " + classOf(name), name), " ");
    if (sample.extracted) summary.append(element("span", "extracted", sample.extracted), " ");
    summary.append(element("span", "soft", `sample ${sample.index + 1} · ${count(sample.tokens)} tokens`));
    return foldable("sample", summary, (details) => {
      if (sample.reason) details.append(element("p", "soft", sample.reason));
      for (const [number, text] of (sample.earlier || []).entries()) details.append(folded(`Try ${number + 1}`, text));
      if (sample.reasoning) details.append(folded(`Thinking · ${count(sample.reasoning_tokens)} tokens`, sample.reasoning));
      if (sample.answer.join("")) details.append(answerText(sample.answer));
      else details.append(element("p", "soft", "There is no answer after the thinking."));
      for (const text of sample.judge || []) details.append(folded("Judge", text));
    });
  };

  const questionNode = (evaluation, row, classes) => {
    const [position, id, start, codes, right] = row;
    const summary = element("summary");
    summary.append(element("span", "id", id), element("span", "start", start), element("span", "share", right));
    const dots = element("span", "dots");
    dots.setAttribute("aria-hidden", "true");
    for (const code of codes) dots.append(element("span", "dot " + classOf(classes[code])));
    summary.append(dots);
    return foldable("question", summary, (details) => {
      const question = JSON.parse(stored(`question-${evaluation}-${position}`));
      const inside = element("div", "inside");
      for (const [role, text] of question.prompt) {
        if (role !== "user") inside.append(element("p", "soft", role));
        inside.append(element("pre", "text", text));
      }
      if (question.reference) {
        const reference = element("p", "", "Reference: ");
        reference.append(element("span", "extracted", question.reference));
        inside.append(reference);
      }
      for (const sample of question.samples) inside.append(sampleNode(sample, classes));
      details.append(inside);
    });
  };

  const show = (place) => {
    const evaluation = place.dataset.evaluation;
    const { classes, rows } = JSON.parse(stored(`index-${evaluation}`));
    const [search, filter, order] = place.querySelectorAll("input, select");
    const list = place.querySelector(".list"), status = place.querySelector(".status"), more = place.querySelector(".more");
    let found = rows, shown = 0;

    const append = () => {
      for (const row of found.slice(shown, shown + rowsAtOnce)) list.append(questionNode(evaluation, row, classes));
      shown = Math.min(shown + rowsAtOnce, found.length);
      more.hidden = shown === found.length;
      status.textContent = `${count(found.length)} of ${count(rows.length)} questions`;
    };
    const update = () => {
      const words = search.value.trim().toLowerCase();
      const stored_words = JSON.stringify(words).slice(1, -1).replaceAll("<", "\\u003c");
      const wanted = filter.value === "" ? -1 : Number(filter.value);
      found = rows.filter(([position, id, start, codes]) =>
        (wanted < 0 || codes.includes(wanted)) &&
        (!words || id.toLowerCase().includes(words) || stored(`question-${evaluation}-${position}`).toLowerCase().includes(stored_words)));
      if (order.value === "hardest") found = found.slice().sort((a, b) => a[5] - b[5] || a[0] - b[0]);
      list.replaceChildren();
      shown = 0;
      append();
    };
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(update, 150);
    });
    filter.addEventListener("change", update);
    order.addEventListener("change", update);
    more.addEventListener("click", append);
    place.hidden = false;
    append();
  };

  for (const place of document.querySelectorAll(".questions")) show(place);
})();
