// Suggested tags, one photo at a time: a key or a button decides, and the next photo is there at once. What is decided
// is sent behind the scenes (sending.js); of what did not arrive, or was decided elsewhere before, it says so.
(() => {
  const { bdi, element, isolated, levels, plain, request, sending, shownLevels, suggesting } = window.picsift;
  const KEYS = { a: "accept", r: "reject", s: "skip", u: "undo", z: "undo" };
  const PAGE = 30; // suggestions asked for at once
  const AHEAD = 12; // so few are left when more are asked for
  const PICTURES = 4; // that are loaded before they are looked at

  let dialog = null;
  let turn = 0; // counts beginnings, so that a late answer knows that it is late
  let queue = []; // what comes, the one that is asked about first
  let past = []; // what was said: { item, word, entry, became }
  let cursor = null; // null: from the beginning
  let found = 0; // what was new since it was asked from the beginning
  let more = false; // whether there may be more behind the cursor, or by now from the beginning
  let lost = false; // whether it could not be asked
  let loading = false;
  let left = 0;
  let pictures = new Map();

  const part = (name) => dialog.querySelector(name);
  const keyOf = (item) => `${item.photo} ${item.tag}`;
  const fileOf = (item) => item.path.split(/[\\/]/).pop();
  const say = (text, trouble = false) => {
    part(".note").textContent = text;
    part(".note").classList.toggle("trouble", trouble);
  };

  // Pictures: the small one at once, the large one in its place when it is there
  const address = (item, kind) => `api/v1/photos/${item.photo}/${kind}?v=${encodeURIComponent(item.version || "")}`;
  const picture = (item) => {
    const at = item.photo;
    if (pictures.has(at)) return pictures.get(at);
    const image = element("img", { src: address(item, "thumbnail"), alt: plain(fileOf(item)), decoding: "async" });
    const large = new Image();
    large.onload = () => (image.src = large.src);
    large.src = address(item, "preview");
    pictures.set(at, image);
    return image;
  };
  const prepare = () => {
    const wanted = queue.slice(0, PICTURES);
    wanted.forEach(picture);
    const kept = new Set([...wanted, ...past.slice(-2).map((one) => one.item)].map((item) => item.photo));
    for (const photo of pictures.keys()) if (!kept.has(photo)) pictures.delete(photo);
  };

  const show = () => {
    const item = queue[0];
    dialog.classList.toggle("asking", Boolean(item));
    for (const button of dialog.querySelectorAll("[data-word]")) {
      button.disabled = button.dataset.word === "undo" ? !past.length : !item;
    }
    part(".left").textContent = `${left.toLocaleString("en")} left`;
    if (!item) return finish();
    const [...above] = shownLevels(item.tag);
    const name = above.pop();
    const parents = above.length ? [element("small", {}, ...above.flatMap((level) => [bdi(level), " › "]))] : [];
    part(".what").replaceChildren(...parents, element("strong", {}, bdi(name)), "?");
    const sure = item.confidence === null ? "" : `${Math.round(100 * item.confidence)}% sure`;
    const kind = item.duration_s === null ? "" : "a video";
    part(".about").replaceChildren(...[sure, kind].filter(Boolean).map((told) => `${told} · `), bdi(fileOf(item)));
    part("figure").replaceChildren(picture(item));
    prepare();
  };
  const finish = () => {
    part(".what").replaceChildren();
    part(".about").textContent = "";
    if (loading || more) return part("figure").replaceChildren(element("p", { textContent: "Looking for suggestions…" }));
    const skipped = past.filter((one) => one.word === "skip").length;
    const none = past.length ? "Done: nothing here is left to decide." : "No suggestion waits here. picsift can look through your photos for what is in them.";
    const others = left - skipped; // that were decided here, and taken back elsewhere
    const text = lost ? "What is left could not be asked for." : others > 0 ? `${left.toLocaleString("en")} are left to look at.`
      : skipped ? `${skipped.toLocaleString("en")} skipped, the rest is decided.` : none;
    const anew = lost || others > 0 ? "Look at what is left" : "Look at what was skipped";
    const again = element("button", { type: "button", textContent: anew });
    again.addEventListener("click", begin);
    const suggest = element("button", { type: "button", textContent: "Suggest tags", disabled: suggesting.isRunning() });
    suggest.dataset.suggest = "";
    part("figure").replaceChildren(element("div", { className: "end" }, element("p", { textContent: text }),
      lost || left > 0 || skipped ? again : suggest));
    part("figure").focus();
  };

  const load = async () => {
    if (loading || !more || queue.length > (cursor ? AHEAD : 0)) return;
    const mine = turn;
    loading = true;
    if (!cursor) {
      found = 0;
      await sending.idle(); // what was decided is not asked about again
      if (mine !== turn) return;
    }
    const asked = new URLSearchParams({ order: part("[name=order]").value, limit: PAGE });
    if (part("[name=tag]").value) asked.set("tag", part("[name=tag]").value);
    if (cursor) asked.set("cursor", cursor);
    const answer = await request(`review?${asked}`).catch((trouble) => trouble);
    if (mine !== turn) return;
    loading = false;
    if (answer instanceof Error) {
      more = false;
      lost = true;
      say(answer.message, true);
    } else {
      const seen = new Set([...queue, ...past.map((one) => one.item)].map(keyOf));
      const fresh = answer.suggestions.filter((item) => !seen.has(keyOf(item)));
      queue.push(...fresh);
      found += fresh.length;
      cursor = answer.cursor;
      more = cursor !== null || found > 0; // what came meanwhile may stand before the cursor
      left = Math.max(answer.left - sending.open(), queue.length);
    }
    if (queue.length || !more) show();
    load();
  };

  // Words
  const decide = (word) => {
    const item = queue.shift();
    if (!item) return;
    const mine = turn;
    const said = { item, word };
    past.push(said);
    say("");
    if (word !== "skip") {
      left -= 1;
      said.entry = sending.say({ photo: item.photo, tag: item.tag, word }); // before more is asked for, which waits for it
    }
    show();
    load();
    if (word === "skip") return;
    said.entry.answer.then(({ became, state }) => {
      said.became = became;
      if (mine !== turn) return;
      const name = isolated(shownLevels(item.tag).pop());
      if (became === "kept") say(`${name} was ${state} for that photo before, and stays so.`);
      if (became === "gone") say(`That photo, or the tag ${name}, is no longer in the library.`);
    }, (trouble) => {
      say(trouble.message, true);
      if (mine !== turn || !past.includes(said)) return; // it is asked about again already, or will be
      past = past.filter((one) => one !== said);
      again(item);
    });
  };
  const again = (item) => { // it is asked about once more
    queue.unshift(item);
    left += 1;
    show();
  };
  const undo = async () => {
    const said = past.pop();
    if (!said) return;
    const mine = turn;
    const { item, word } = said;
    say("");
    if (word === "skip") left -= 1; // it never went
    again(item);
    if (word === "skip" || sending.withdraw(said.entry)) return;
    const ours = () => !said.became || said.became === "done"; // what was decided elsewhere is not taken back here
    const undoing = sending.say({ photo: item.photo, tag: item.tag, word: "undo", of: word }, ours);
    const back = await undoing.answer.catch((trouble) => trouble);
    if (mine !== turn || (ours() && back.became && back.became !== "kept")) return;
    const asked = queue.length;
    queue = queue.filter((one) => keyOf(one) !== keyOf(item));
    left -= asked - queue.length;
    if (back instanceof Error) past.push(said); // it may be taken back still
    show();
    if (back instanceof Error) say(back.message, true);
    else say("That was decided elsewhere, and stays so.");
  };
  const act = (word) => (word === "undo" ? undo() : decide(word));

  // What can be chosen
  const choices = async () => {
    const tags = await request("tags").catch(() => []);
    const numbers = new Map();
    for (const { tag, suggested } of tags) {
      const path = levels(tag);
      for (let length = 1; suggested && length <= path.length; length += 1) {
        const above = path.slice(0, length).join("/");
        numbers.set(above, (numbers.get(above) || 0) + suggested);
      }
    }
    const select = part("[name=tag]");
    const chosen = select.value;
    const options = [...numbers].map(([tag, number]) => {
      const shown = shownLevels(tag);
      const text = `${"\u2003".repeat(shown.length - 1)}${isolated(shown.at(-1))} (${number.toLocaleString("en")})`;
      return element("option", { value: tag, textContent: text });
    });
    select.replaceChildren(element("option", { value: "", textContent: "All tags" }), ...options);
    select.value = numbers.has(chosen) ? chosen : "";
  };

  const begin = () => {
    turn += 1;
    [queue, past, cursor, more, loading, lost, left] = [[], [], null, true, false, false, 0];
    say("");
    show();
    part(".left").textContent = "";
    part("figure").focus();
    load();
  };
  const suggested = async () => { // a run has ended: who waits for it sees what it found, who decides goes on
    const mine = turn;
    await choices();
    if (mine === turn && !queue.length) begin();
    else more = true;
  };
  const press = (event) => {
    const inField = event.target.closest("input, textarea, select, [contenteditable]");
    if (inField || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.repeat && event.key === "Enter") return event.preventDefault(); // else a button that has the focus decides
    const word = KEYS[event.key.toLowerCase()];
    if (!word) return;
    event.preventDefault();
    if (!event.repeat) act(word); // a key that is held decides once
  };
  window.picsift.tool("review", {
    begin: (made) => {
      dialog = made;
      suggesting.begin(made, suggested);
      dialog.addEventListener("keydown", press);
      dialog.addEventListener("change", begin);
      dialog.addEventListener("click", ({ target, detail }) => {
        const button = target.closest("[data-word]");
        if (button && detail < 2) act(button.dataset.word); // the second half of a double click means the photo before
      });
    },
    opened: async () => {
      const mine = (turn += 1);
      suggesting.opened();
      await choices();
      if (mine === turn) begin();
    },
    closed: () => {
      turn += 1;
      suggesting.closed();
      pictures = new Map();
    },
  });
})();
