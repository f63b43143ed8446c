// All tags with their counts: renamed, merged into one another, deleted, and what was done to them taken back. It asks the
// HTTP API, whose checks are those of `picsift tags`.
(() => {
  const { bdi, element, isolated, plain, request, shownLevels } = window.picsift;
  const SHOWN = 400; // tags that are listed at once
  const STATES = ["accepted", "suggested", "rejected"];

  let dialog = null;
  let turn = 0; // counts openings and changes, so that a late list of an older one is dropped
  let tags = [];
  let open = null; // the tag that is being changed
  const part = (name) => dialog.querySelector(name);
  const amount = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const shown = (tag) => shownLevels(tag).join(" › ");
  const say = (text, trouble = false) => {
    part(".note").textContent = text;
    part(".note").classList.toggle("trouble", trouble);
  };
  const button = (text, act, name = "") => {
    const made = element("button", { type: "button", textContent: text, className: name });
    made.addEventListener("click", act);
    return made;
  };

  // What is done
  const change = async (path, method, body, told) => {
    const mine = (turn += 1);
    dialog.classList.add("busy");
    const answer = await request(path, method, body).catch((trouble) => trouble);
    if (mine !== turn) return;
    dialog.classList.remove("busy");
    if (answer instanceof Error) return say(answer.message, true);
    open = null;
    say(told(answer));
    await load();
    part("[name=find]").focus();
  };
  const isNow = (answer, rest) => `${isolated(shown(answer.tag))} is ${isolated(shown(answer.now))} now; ${rest}.`;
  const rename = (tag, to) =>
    change("tags/rename", "POST", { tag, to, exact: true }, (answer) => isNow(answer, `${amount(answer.count, "tag")} with a new path`));
  const merge = (tag, into) =>
    change("tags/merge", "POST", { tag, into, exact: true }, (answer) => isNow(answer, `${amount(answer.count, "photo")} went over`));
  const remove = (tag) =>
    change(`tags?${new URLSearchParams({ tag, exact: true })}`, "DELETE", undefined, (answer) =>
      `${isolated(shown(answer.tag))} is deleted; ${amount(answer.count, "photo")} had it.`);
  const restore = (asked, text) =>
    change("tags/restore", "POST", asked, () => `${text} from the next run on. What was decided is not brought back.`);

  // The tag that is being changed
  const field = (label, value, names, text, act, hint) => {
    const input = element("input", { type: "text", value, maxLength: 2000, autocomplete: "off", ariaLabel: label });
    if (names) input.setAttribute("list", names);
    if (hint) input.placeholder = hint;
    const doing = button(text, () => act(input.value.trim()));
    const check = () => (doing.disabled = !input.value.trim() || input.value.trim() === value);
    input.addEventListener("input", check);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing && !doing.disabled) doing.click();
    });
    check();
    return element("div", { className: "field" }, element("label", { textContent: label }), input, doing);
  };
  const ask = (place, question, doing, act) => {
    const before = [...place.childNodes];
    const keep = button("Keep", () => {
      place.replaceChildren(...before);
      before.at(-1).focus();
    });
    place.replaceChildren(before[0], element("p", { textContent: question }), button(doing, act, "danger"), keep);
    keep.focus();
  };
  // The whole path of a tag that was typed by its name alone, where one tag has that; else what was typed.
  const whole = (typed) => {
    const named = tags.map(({ tag }) => tag).filter((tag) => shownLevels(tag).at(-1) === typed);
    return !tags.some(({ tag }) => tag === typed) && named.length === 1 ? named[0] : typed;
  };
  const editor = ({ tag }) => {
    const asks = element("div", { className: "field" }, element("label", { textContent: "Delete" }));
    const lost = `Delete ${isolated(shown(tag))} and what lies under it, with all that was decided of it?`;
    asks.append(button("Delete…", () => ask(asks, lost, "Delete", () => remove(tag)), "danger"));
    const merging = field("Merge into", "", "tag-names", "Merge…", (typed) => {
      const into = whole(typed);
      const question = `Merge ${isolated(shown(tag))} and what lies under it into ${isolated(shown(into))}? It cannot be taken apart again.`;
      ask(merging, question, "Merge", () => merge(tag, into));
    }, "another tag");
    return element("div", { className: "editor" },
      field("Rename to", tag, "", "Rename", (to) => rename(tag, to)),
      merging, asks);
  };
  const line = (one) => {
    const counts = STATES.filter((state) => one[state]).map((state) => `${one[state].toLocaleString("en")} ${state}`);
    const head = button("", () => {
      open = open === one.tag ? null : one.tag;
      list();
      const at = [...part(".tags").children].find((row) => row.dataset.tag === one.tag);
      at.querySelector(open ? "input" : ".head").focus();
    }, "head");
    head.setAttribute("aria-expanded", String(open === one.tag));
    head.append(element("span", {}, bdi(shown(one.tag))), element("small", { textContent: counts.join(" · ") || "no photo" }));
    const made = element("li", { className: open === one.tag ? "open" : "", title: plain(one.tag) }, head);
    made.dataset.tag = one.tag;
    if (open === one.tag) made.append(editor(one));
    return made;
  };
  const list = () => {
    const words = part("[name=find]").value.toLowerCase().split(/[\s/›]+/).filter(Boolean);
    const found = tags.filter(({ tag }) => words.every((word) => shown(tag).toLowerCase().includes(word)));
    part(".tags").replaceChildren(...found.slice(0, SHOWN).map(line));
    const more = found.length > SHOWN ? `; the first ${SHOWN} are listed` : "";
    const none = tags.length ? "No tag is called so." : "No photo has a tag yet. 'Review tags' suggests some.";
    part(".counts").textContent = found.length ? `${amount(found.length, "tag")}${more}` : none;
  };

  // What was done
  const changes = (known) => {
    part(".was").hidden = !known.length;
    part(".changes").replaceChildren(...known.map(({ tag, now }) => {
      const told = now === null ? [bdi(shown(tag)), " is deleted"] : [bdi(shown(tag)), " is ", bdi(shown(now))];
      const back = button("Suggest again", () => restore({ tag }, `${isolated(shown(tag))} is suggested again`));
      back.ariaLabel = `Suggest ${plain(shown(tag))} again`;
      return element("li", {}, element("span", {}, ...told), back);
    }));
  };
  const load = async () => {
    const mine = turn;
    const [found, known] = await Promise.all([request("tags"), request("tags/changes")]).catch((trouble) => [trouble]);
    if (mine !== turn) return;
    if (found instanceof Error) return say(found.message, true);
    tags = found;
    part("#tag-names").replaceChildren(...tags.map(({ tag }) => element("option", { value: tag })));
    list();
    changes(known);
  };

  window.picsift.tool("tags", {
    begin: (made) => {
      dialog = made;
      part("[name=find]").addEventListener("input", () => {
        open = null;
        list();
      });
      part(".all").addEventListener("click", () => restore({ all: true }, "All of them are suggested again"));
    },
    opened: () => {
      turn += 1;
      [tags, open] = [[], null];
      dialog.classList.remove("busy");
      part("[name=find]").value = "";
      say("");
      part(".counts").textContent = "Looking at your tags…";
      part(".tags").replaceChildren();
      changes([]);
      load();
    },
    closed: () => (turn += 1),
  });
})();
