// Dialogs beside the search, each open while the address ends in its name (#review): Back closes it, a reload keeps it.
// What they share: asking the HTTP API, and the levels of a tag.
Object.assign(window.picsift, (() => {
  const LOST = "No answer came from picsift. Is it still running?";
  const known = {}; // by the dialog's id: what to do when it has opened and closed
  let root = null;

  // What came, as JSON; an Error with a sentence, and the status, where none did
  const request = async (path, method = "GET", body, options = {}) => {
    const headers = { "Content-Type": "application/json" };
    const sent = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    const answer = await fetch(`api/v1/${path}`, { method, ...sent, ...options }).catch(() => null);
    const said = answer && (await answer.json().catch(() => null));
    if (answer && answer.ok && said !== null) return said;
    const detail = (said && said.detail) || LOST;
    throw Object.assign(new Error(sentence(detail)), { status: answer ? answer.status : 0 });
  };
  const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const levels = (tag) => tag.match(/(?:\\.|[^/\\])+/g) || [tag]; // as they are written, slashes within names marked
  const shownLevels = (tag) => levels(tag).map((level) => level.replace(/\\(.)/g, "$1"));
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // Names turn nothing around: what changes the direction of writing is spelt out (Unicode, UAX 9)
  const spelt = (sign) => `\\u${sign.charCodeAt(0).toString(16)}`;
  const plain = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, spelt);
  const isolated = (text) => `\u2068${plain(text)}\u2069`; // within a text
  const bdi = (text) => element("bdi", { textContent: plain(text) });

  const dialogOf = (name) => root.querySelector(`dialog[id="${CSS.escape(name)}"]`);
  const named = () => location.hash.slice(1);
  const follow = () => { // the address
    for (const dialog of root.querySelectorAll("dialog")) {
      if (dialog.open && dialog.id !== named()) dialog.close();
    }
    const dialog = named() && dialogOf(named());
    if (!dialog || dialog.open) return;
    dialog.showModal();
    known[dialog.id].opened(dialog);
  };
  const go = (name) => {
    history.pushState(picsift.stateOf({ tool: true }), "", `${location.pathname}${location.search}#${name}`);
    follow();
  };
  const closed = (dialog) => {
    known[dialog.id].closed();
    if (named() !== dialog.id) return; // the address led away
    if (history.state && history.state.tool) history.back();
    else history.replaceState(picsift.stateOf(), "", location.pathname + location.search);
  };
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-tool]");
    if (button) go(button.dataset.tool);
  });
  const tools = (made) => {
    root = made;
    for (const dialog of root.querySelectorAll("dialog")) {
      dialog.addEventListener("close", () => closed(dialog));
      dialog.addEventListener("click", ({ target }) => target.closest("[data-leave]") && dialog.close());
      known[dialog.id].begin(dialog);
    }
    window.addEventListener("popstate", follow);
    follow();
  };
  const tool = (name, what) => (known[name] = what);
  return { bdi, element, isolated, levels, plain, request, sentence, shownLevels, tool, tools };
})());
