// Dialogs beside the search, each open while the address ends in its name (#review): Back closes it, a reload keeps it.
// What they share: asking the HTTP API, and the levels of a tag.
Object.assign(window.picsift, (() => {
  const LOST = "No answer came from picsift. Is it still running?";
  const known = {}; // by the dialog's id: what to do when it has opened and closed
  let root = null;

  const request = async (path, method = "GET", body) => { // what came, as JSON; an Error with a sentence where none did
    const headers = { "Content-Type": "application/json" };
    const sent = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    const answer = await fetch(`api/v1/${path}`, { method, ...sent }).catch(() => null);
    const said = answer && (await answer.json().catch(() => null));
    if (answer && answer.ok && said !== null) return said;
    const detail = (said && said.detail) || LOST;
    throw new Error(detail.charAt(0).toUpperCase() + detail.slice(1));
  };
  const levels = (tag) => tag.match(/(?:\\.|[^/\\])+/g) || [tag]; // as they are written, slashes within names marked
  const shownLevels = (tag) => levels(tag).map((level) => level.replace(/\\(.)/g, "$1"));
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

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
    history.pushState({ tool: true }, "", `${location.pathname}${location.search}#${name}`);
    follow();
  };
  const closed = (dialog) => {
    known[dialog.id].closed();
    if (named() !== dialog.id) return; // the address led away
    if (history.state && history.state.tool) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
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
  return { element, levels, request, shownLevels, tool: (name, what) => (known[name] = what), tools };
})());
