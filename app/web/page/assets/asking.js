// What is asked, and the one answer that the page shows. The question stands in the address, with the photo that is
// open, so that Back, a reload and a copied link show the same (remembering.js has how many pages, and where one was).
// The last question wins: an answer that is no longer waited for is dropped. It asks Python through the functions that ui.py offers, and no other host.
window.picsift = (() => {
  const BOXES = { q: "#words", after: "#after", before: "#before", folder: "#folder", place: "#place" };
  const HOW = { least: "", right: "", wrong: "", diverse: "", copies: "" }; // looks for nothing by itself
  const NOTHING = { q: "", after: "", before: "", folder: "", place: "", like: "", picture: "", show: "", ...HOW };
  const NEAREST = "nearest"; // the least relevance that lets all pass, for one question alone
  const LATE_MS = 400; // a quick answer shows no sign of waiting
  const FIRST_MS = 2500; // a slow one says why, where that is known

  let asked = NOTHING; // the question that is shown, or waited for
  let chipped = NOTHING; // the question whose parts stand above the answer
  let turn = 0; // counts questions, so that a late answer knows that it is late
  let answered = 0; // the one that was answered last, or found no answer
  let next = null; // the cursor of the page behind the latest one
  let held = null; // the latest cursor of what is shown
  const left = []; // cursors that nobody goes on by, until Python is told
  let call = null; // functions of Python; what they promise is undefined where no answer came
  let root = null;
  let warm = false; // whether a search has been answered, and so the model loaded
  let photos = null; // how many there were when the answer was given
  let version = null; // of the library, by then
  let lately = null; // the same, as of the latest look
  let grids = []; // what the answer shows, a page each, as they came
  let compared = false; // whether something was looked for, which marks can refine
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
    const marks = words.q === asked.q ? {} : UNMARKED; // they are of what was looked for
    return { ...asked, ...words, ...marks, like: words.q ? "" : asked.like, show: words.q === asked.q ? asked.show : "" };
  };

  // Marks: ids of photos that are, and are not, what is looked for
  const UNMARKED = { right: "", wrong: "" };
  const idsOf = (kind) => asked[kind].split(",").filter(Boolean);
  const mark = (kind, id) => {
    const other = kind === "right" ? "wrong" : "right";
    const had = idsOf(kind).includes(id); // a second time takes it back
    const [own, others] = [kind, other].map((name) => idsOf(name).filter((one) => one !== id));
    ask({ ...asked, [kind]: (had ? own : [...own, id]).join(","), [other]: others.join(",") });
  };
  const showMarks = (element = document) => {
    for (const button of element.querySelectorAll("[data-mark]"))
      button.ariaPressed = String(idsOf(button.dataset.mark).includes(button.dataset.of));
  };
  const showHow = () => {
    for (const box of document.querySelectorAll("[data-how]")) box.checked = asked[box.dataset.how] === box.value;
  };

  // The address
  const PARTS = Object.keys(NOTHING);
  const read = () => {
    const said = new URLSearchParams(location.search);
    const question = Object.fromEntries(PARTS.map((name) => [name, (said.get(name) || "").trim()]));
    if (question.like) question.q = ""; // which does not count beside it
    return { question, photo: said.get("photo"), frame: said.get("frame") };
  };
  const addressOf = (question, photo, frame) => {
    const said = new URLSearchParams(location.search); // of others' words something may stand there, too
    const known = { ...question, photo: photo || "", frame: frame || "" };
    for (const [name, value] of Object.entries(known)) { // in one order, so that one question has one address
      said.delete(name);
      if (value) said.append(name, value);
    }
    return location.pathname + (String(said) && `?${said}`);
  };
  const visit = (question) => {
    const there = read(); // written in another way, perhaps
    picsift.note();
    if (there.photo || !same(there.question, question)) history.pushState(null, "", addressOf(question));
  };
  const alike = (one, other) => PARTS.every((name) => name in HOW || one[name] === other[name]); // in what is looked for
  const same = (one, other) => PARTS.every((name) => one[name] === other[name]);
  const restore = async () => {
    if (picsift.left()) return picsift.note();
    const { question, photo, frame } = read();
    if (!same(question, asked)) {
      fill(question);
      return arrive(question);
    }
    picsift.note(); // pages that came while a photo was open
    picsift.goTo(photo, frame);
  };
  const arrive = async (question) => { // at an address; the photo that it names by then, unless something else is asked
    if (!(await ask(question, { visited: true }))) return;
    const { photo, frame } = read();
    picsift.goTo(photo, frame);
  };

  // Asking
  const leave = (cursor) => { if (cursor) left.push(cursor); };
  const search = (behind = null) => call.ask({ question: asked, next: behind, left: left.splice(0) });
  const wait = (mine) => {
    const say = (text) => {
      if (mine === turn && root.ariaBusy === "true") part("summary").innerHTML = `<p class="waiting">${text}</p>`;
    };
    setTimeout(() => say("Searching…"), LATE_MS);
    if (!warm) setTimeout(() => say("Searching… The first search after a start takes longer."), FIRST_MS);
    root.ariaBusy = "true";
  };
  const ask = async (question, { visited = false } = {}) => { // whether its answer is shown
    const mine = ++turn;
    const state = visited ? history.state : null;
    const another = !alike({ ...NOTHING, ...question }, asked);
    const before = asked;
    asked = { ...NOTHING, ...question };
    keepChips(); // what was to be left out was of the question before
    if (!visited && another && before.least === NEAREST && asked.least === NEAREST) asked.least = "";
    picsift.shut(); // what is open, or waited for, is of another question
    if (!visited) {
      await picsift.left(); // else the way back from a photo would lead past the new address
      if (mine !== turn) return false;
      visit(asked);
    }
    if (visited) picsift.hold();
    else picsift.release();
    const beside = Object.keys(BOXES).filter((name) => name !== "q" && asked[name]).length;
    document.querySelector("#panel button").textContent = beside ? `Filters (${beside})` : "Filters";
    showHow();
    picsift.untell();
    wait(mine);
    leave(held);
    held = null;
    const answer = (await search()) || (await picsift.lost());
    if (mine !== turn) {
      leave(answer.next);
      return false;
    }
    show(answer);
    if (visited && !answer.trouble) await picsift.bringBack(state, () => mine !== turn);
    if (!visited) window.scrollTo({ top: 0 }); // the bar is there wherever one is
    return mine === turn && !answer.trouble;
  };
  const refocusing = () => { // what gives the focus to what stands in the place of what has it now
    const one = document.activeElement;
    const chips = () => [...part("chips").querySelectorAll("button")];
    const chip = chips().indexOf(one);
    if (chip >= 0 || part("asked").contains(one)) return () => { // one that is there still keeps it
      const other = chips().slice(0, chip + 1).at(-1) || part("grid").querySelector(".trouble button") || boxOf("q");
      if (!one.isConnected) other.focus({ preventScroll: true });
    };
    if (!part("grid").contains(one)) return () => {};
    const { id, of, mark: kind } = one.dataset;
    const again = id ? `[data-id="${id}"]` : of ? `[data-of="${of}"][data-mark="${kind}"]` : ".none";
    const tiles = () => [...part("grid").querySelectorAll(".tile")];
    const at = tiles().indexOf(one.closest(".tile"));
    return () => {
      const tile = at < 0 ? undefined : tiles().slice(0, at + 1).at(-1);
      const other = tile ? tile.querySelector("[data-id]") : part("grid");
      (part("grid").querySelector(again) || other).focus({ preventScroll: true });
    };
  };
  const show = (answer) => {
    root.ariaBusy = "false";
    answered = turn;
    warm ||= Boolean(answer.summary);
    photos = answer.photos ?? photos;
    version = answer.version ?? version;
    grids = [answer.grid];
    const [refocus, goOn] = [refocusing(), leavingOut()];
    if (!answer.lost) picsift.answered();
    if (!answer.lost || !alike(chipped, asked)) { // else they are the question's still
      part("chips").innerHTML = answer.chips || "";
      part("asked").innerHTML = answer.asked || "";
      chipped = asked;
    }
    part("summary").innerHTML = answer.summary || "";
    compared = Boolean(answer.compared);
    setLeast(answer.least ?? null);
    if (answer.lost === "Reload") picsift.hushLocked(); // it is said in the answer's place, and once is enough
    if (answer.trouble) part("grid").replaceChildren(notice(answer));
    else part("grid").innerHTML = answer.grid;
    showMarks();
    refocus();
    const caption = part("asked").querySelector("figcaption");
    document.title = [answer.title || asked.q || (caption && caption.textContent), "picsift"].filter(Boolean).join(" – ");
    part("since").replaceChildren();
    follow(answer.next);
    if (!answer.trouble) picsift.turned(1);
    if (!answer.lost) goOn();
    else keepChips();
  };
  const setLeast = (least) => {
    part("least").hidden = least === null;
    if (least === null) return;
    part("least").querySelector("input").value = least;
    part("least").querySelector("output").textContent = `${Math.round(100 * least)}%`;
  };
  const notice = ({ trouble, spot, lost }) => { // where the answer would be, for as long as it would
    const section = Object.assign(document.createElement("section"), { className: "notice trouble", role: "alert" });
    section.append(Object.assign(document.createElement("p"), { textContent: trouble }));
    if (lost) {
      const again = Object.assign(document.createElement("button"), { type: "button", textContent: lost });
      again.addEventListener("click", () => lost === "Reload" ? location.reload() : arrive(asked));
      const buttons = Object.assign(document.createElement("div"), { className: "examples" });
      buttons.append(again);
      section.append(buttons);
    }
    if (spot) { // what was typed, with the part that is meant marked
      const [before, part, after] = spot;
      const typed = Object.assign(document.createElement("p"), { className: "spot" });
      typed.append(before, Object.assign(document.createElement("mark"), { textContent: part }), after);
      section.append(typed);
    }
    return section;
  };

  // More of the same
  const AGAIN = '<button type="button">Search again</button>';
  const follow = (behind, { trouble = "", gone = false } = {}) => {
    next = gone ? null : behind ?? null;
    held = next ?? held;
    part("more").hidden = next === null;
    part("more").disabled = false;
    part("beyond").textContent = trouble;
    if (gone) part("beyond").insertAdjacentHTML("beforeend", ` ${AGAIN}`);
  };
  const more = async () => { // whether there is more now
    if (next === null || part("more").disabled || root.ariaBusy === "true") return; // of what is going, there is no more
    const mine = turn;
    const pressed = document.activeElement === part("more");
    part("more").disabled = true; // which takes the focus from it
    const answer = (await search(next)) || (await picsift.lost());
    if (mine !== turn) return leave(answer.next);
    const goOn = (to) => pressed && document.activeElement === document.body && to?.focus({ preventScroll: true });
    if (answer.trouble) {
      follow(next, answer);
      return goOn(part("more"));
    }
    const page = Object.assign(document.createElement("template"), { innerHTML: answer.grid }).content;
    const first = page.querySelector("[data-id]");
    const groups = [...page.querySelectorAll(".group")];
    if (groups.length) part("grid").append(...groups);
    else part("grid").querySelector(".tiles").append(...page.querySelectorAll(".tile"));
    grids.push(answer.grid);
    showMarks();
    follow(answer.next);
    goOn(first);
    picsift.turnedOne();
    return true;
  };

  // The library goes on meanwhile
  const atStart = () => PARTS.every((name) => name in HOW || !asked[name]);
  const openCopies = (button) => {
    const [tile, opens] = [button.closest(".tile"), button.ariaExpanded !== "true"];
    button.ariaExpanded = String(opens);
    if (opens) tile.after(tile.querySelector("template").content.cloneNode(true));
    else while (tile.nextElementSibling?.matches(".copy")) tile.nextElementSibling.remove();
    showMarks();
  };
  const untouched = () => window.scrollY < 200 && grids.length === 1 && !part("more").disabled && !document.body.classList.contains("viewing");
  const keepUp = async (seen) => {
    const still = seen.version === lately; // else it goes on changing, as while photos are tagged
    lately = seen.version;
    if (photos === null || root.ariaBusy === "true") return;
    if (seen.photos === photos && (!still || seen.version === version)) return;
    const ready = part("grid").querySelector("[data-ready]");
    if (ready && ready.textContent !== seen.ready) { // which is no change of the photos below it
      grids[0] = grids[0].replace(ready.textContent, seen.ready);
      ready.textContent = seen.ready;
    }
    if (!atStart() || grids.length > 1) return seen.photos === photos ? compare(seen) : offer(seen.photos - photos);
    if (!untouched()) return;
    const mine = turn;
    const answer = await search();
    if (!answer || answer.trouble) return;
    const wanted = mine === turn && untouched();
    const isSame = answer.grid === grids[0];
    if (wanted && isSame) [photos, version] = [answer.photos, answer.version];
    if (!wanted || isSame) return leave(answer.next); // what is shown has its own
    leave(held);
    held = null;
    picsift.release();
    show(answer);
  };
  const compare = async (seen) => { // as many came as went, or something else changed: offered where the answer differs
    if (part("grid").querySelector(".trouble")) return;
    version = seen.version; // asked once for each, whatever comes of it
    if (asked.show) return offer(null); // looking for duplicates may take a minute
    const [mine, shown] = [turn, [...grids]];
    let [behind, cursor, page, isSame] = [null, null, 0, true];
    do {
      const answer = await search(behind);
      cursor = answer?.next ?? cursor;
      if (!answer || answer.trouble || mine !== turn) return leave(cursor);
      version = answer.version ?? version;
      behind = answer.next;
      isSame = answer.grid === shown[page];
      page += 1;
    } while (isSame && behind !== null && page < shown.length);
    leave(cursor);
    if (isSame && page === shown.length) part("since").replaceChildren();
    else offer(0);
  };
  const offer = (more) => {
    const said = more === null ? "The library has changed since." : more === 0 ? "The photos have changed since." : more > 0 ? `${more} more photo${more === 1 ? "" : "s"} since.` : "Photos have gone since.";
    if (part("since").textContent.startsWith(said)) return; // which may have the focus
    part("since").innerHTML = `${said} ${AGAIN}`;
  };

  const leaveOut = (chip) => {
    if (turn !== answered && !same(chipped, asked)) { // of an earlier question: left out of what is asked now
      chip.ariaBusy = "true";
      return;
    }
    const question = JSON.parse(chip.dataset.ask);
    fill(question);
    ask(question);
  };
  const keepChips = () => part("chips").querySelectorAll("[aria-busy=true]").forEach((chip) => (chip.ariaBusy = "false"));
  const leavingOut = () => { // the first chip that is to be left out of the answer that comes; the others wait for the next
    const key = (chip) => chip.ariaLabel + chip.innerHTML; // photos of one name are told by their pictures
    const wanted = [...part("chips").querySelectorAll("[aria-busy=true]")].map(key);
    return () => {
      const isWanted = (chip) => wanted.includes(key(chip)) && wanted.splice(wanted.indexOf(key(chip)), 1);
      const chips = [...part("chips").querySelectorAll("button")].filter(isWanted);
      if (chips.length) leaveOut(chips[0]);
      chips.slice(1).forEach(leaveOut);
    };
  };

  const submit = () => ask(typed());
  const begin = (element, server) => {
    [root, call] = [element, server];
    part("asked").addEventListener("click", (event) => {
      if (event.target.closest("[data-clear]")) ask({ ...typed(), ...UNMARKED, like: "", picture: "" });
    });
    part("chips").addEventListener("click", ({ target }) => {
      const chip = target.closest("[data-ask]");
      if (chip) leaveOut(chip);
    });
    part("least").addEventListener("input", ({ target }) => setLeast(target.value));
    part("least").addEventListener("change", ({ target }) => ask({ ...asked, least: target.value }));
    part("grid").addEventListener("click", (event) => {
      const [behind, marked] = ["[data-copies]", "[data-mark]"].map((which) => event.target.closest(which));
      if (behind) openCopies(behind);
      if (marked) mark(marked.dataset.mark, marked.dataset.of);
      const least = event.target.closest("[data-least]");
      if (least) ask({ ...asked, least: least.dataset.least });
      const tile = event.target.closest("[data-id]");
      const example = event.target.closest("[data-example]");
      if (tile) picsift.open(tile.dataset.id, tile.dataset.frame);
      if (example) {
        type(boxOf("q"), example.dataset.example);
        submit();
      }
    });
    part("more").addEventListener("click", more);
    for (const name of ["since", "beyond"])
      part(name).addEventListener("click", ({ target }) => target.closest("button") && ask(asked));
    picsift.viewing(part("large"), call);
    picsift.looking(part("now"), call);
  };
  const follows = (event) => { // a link, without loading the page anew, unless that is asked for
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const question = { ...NOTHING, ...Object.fromEntries(new URL(link.href).searchParams) };
    fill(question);
    ask(question);
  };
  const start = async () => {
    document.querySelector("#brand").addEventListener("click", follows);
    window.addEventListener("popstate", restore);
    const { question } = read();
    if (!same(question, NOTHING)) fill(question);
    document.querySelector("#settings").addEventListener("change", ({ target }) => {
      if (target.dataset.how) ask({ ...typed(), [target.dataset.how]: target.checked ? target.value : "" });
    });
    await arrive(same(question, NOTHING) ? typed() : question);
  };

  return {
    addressOf: (photo, frame) => addressOf(asked, photo, frame),
    begin,
    canMark: () => compared,
    soughtWords: () => (compared && !asked.like ? asked.q : ""),
    hasMore: () => next !== null,
    keepUp,
    mark,
    more,
    showMarks,
    start,
    submit,
    searchBy: (picture) => ask({ ...typed(), ...UNMARKED, like: "", picture, show: "" }),
    searchLike: (like) => {
      type(boxOf("q"), "");
      ask({ ...typed(), ...UNMARKED, like, picture: "", show: "" });
    },
  };
})();
