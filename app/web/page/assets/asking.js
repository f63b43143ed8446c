// What is asked, and the one answer that the page shows. The last question wins: an answer that is no longer waited
// for is dropped. It asks Python through the functions that ui.py offers, and no other host.
window.picsift = (() => {
  const BOXES = { q: "#words", after: "#after", before: "#before", folder: "#folder", place: "#place" };
  const NOTHING = { q: "", after: "", before: "", folder: "", place: "", like: "", picture: "" };
  const LOST = "No answer came from picsift. Is it still running? Search again to see.";
  const LATE_MS = 400; // a quick answer shows no sign of waiting

  let asked = NOTHING; // the question that is shown, or waited for
  let turn = 0; // counts questions, so that a late answer knows that it is late
  let next = null; // where the next page of hits begins
  let call = null; // functions of Python; what they promise is undefined where no answer came
  let root = null;
  const part = (name) => root.querySelector(`#${name}`);

  // The fields
  const boxOf = (name) => document.querySelector(`${BOXES[name]} input`);
  const type = (box, text) => {
    if (!box || box.value === text) return;
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true })); // so that Gradio knows
  };
  const fill = (question) => Object.keys(BOXES).forEach((name) => type(boxOf(name), question[name]));
  const typed = () => {
    const words = Object.fromEntries(Object.keys(BOXES).map((name) => [name, boxOf(name).value.trim()]));
    return { ...asked, ...words, like: words.q ? "" : asked.like };
  };

  // Asking
  const wait = (mine) => {
    setTimeout(() => {
      if (mine === turn && root.ariaBusy === "true") part("summary").innerHTML = '<p class="summary">Searching…</p>';
    }, LATE_MS);
    root.ariaBusy = "true";
  };
  const ask = async (question) => {
    const mine = ++turn;
    asked = { ...NOTHING, ...question };
    picsift.untell();
    wait(mine);
    const answer = (await call.ask({ question: asked, offset: 0 })) || { trouble: LOST };
    if (mine === turn) show(answer);
  };
  const show = (answer) => {
    root.ariaBusy = "false";
    part("asked").innerHTML = answer.asked || "";
    part("summary").innerHTML = answer.summary || "";
    if (answer.trouble) part("grid").replaceChildren(notice(answer.trouble));
    else part("grid").innerHTML = answer.grid;
    follow(answer.next);
  };
  const notice = (text) => { // where the answer would be, for as long as it would
    const section = Object.assign(document.createElement("section"), { className: "notice trouble", role: "alert" });
    section.append(Object.assign(document.createElement("p"), { textContent: text }));
    return section;
  };

  // More of the same
  const follow = (offset, trouble = "") => {
    next = offset ?? null;
    part("more").hidden = next === null;
    part("more").disabled = false;
    part("beyond").textContent = trouble;
  };
  const more = async () => {
    const mine = turn;
    part("more").disabled = true;
    const answer = (await call.ask({ question: asked, offset: next })) || { trouble: LOST };
    if (mine !== turn) return;
    if (answer.trouble) return follow(next, answer.trouble);
    const page = Object.assign(document.createElement("template"), { innerHTML: answer.grid }).content;
    const known = new Set([...part("grid").querySelectorAll("[data-id]")].map((tile) => tile.dataset.id));
    // Photos that were indexed meanwhile push others onto the next page.
    const fresh = [...page.querySelectorAll(".tile")].filter(
      (tile) => !known.has(tile.querySelector("[data-id]").dataset.id));
    part("grid").querySelector(".tiles").append(...fresh);
    follow(answer.next);
  };

  const submit = () => ask(typed());
  const begin = (element, server) => {
    [root, call] = [element, server];
    part("asked").addEventListener("click", (event) => {
      if (event.target.closest("[data-clear]")) ask({ ...typed(), like: "", picture: "" });
    });
    part("grid").addEventListener("click", (event) => {
      const tile = event.target.closest("[data-id]");
      const example = event.target.closest("[data-example]");
      if (tile) picsift.open(tile.dataset.id, tile.dataset.frame);
      if (example) {
        type(boxOf("q"), example.dataset.example);
        submit();
      }
    });
    part("more").addEventListener("click", more);
    picsift.viewing(part("large"), call);
    picsift.looking(part("now"), call);
  };
  const start = () => ask(typed());

  return {
    begin,
    start,
    submit,
    searchBy: (picture) => ask({ ...typed(), like: "", picture }),
    searchLike: (like) => {
      type(boxOf("q"), "");
      ask({ ...typed(), like, picture: "" });
    },
  };
})();
