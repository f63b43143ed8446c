// The rest of what the page does in the browser: what it tells, what it looks at by itself, filters shown and hidden,
// and a picture dropped or pasted anywhere.
Object.assign(window.picsift, (() => {
  const LOOK_MS = 3000; // between two looks at what is being indexed
  const MOST_MS = 60000; // the same, at last, while none is answered
  const AWAY = "No answer came from picsift. Is it still running? Then try again, or reload this page.";
  const LOCKED = "picsift asks for its password again, which may have been changed. Reload this page to enter it.";

  const isLocked = async () => {
    const answer = await fetch("api/v1/health", { cache: "no-store" }).catch(() => null);
    return answer !== null && answer.status === 401;
  };
  const lost = async () => { // why no answer came, with what can be done
    const locked = await isLocked();
    return { trouble: locked ? LOCKED : AWAY, lost: locked ? "Reload" : "Try again" };
  };
  const hushLocked = () => document.querySelectorAll(".locked").forEach((line) => line.remove());
  const sayLocked = (element) => {
    if (document.querySelector("#grid .trouble")?.textContent.includes(LOCKED)) return element.replaceChildren(); // which says it
    const said = Object.assign(document.createElement("p"), { className: "now locked", role: "status", textContent: `${LOCKED} ` });
    const reload = Object.assign(document.createElement("button"), { type: "button", textContent: "Reload" });
    reload.addEventListener("click", () => location.reload());
    said.append(reload);
    element.replaceChildren(said);
  };
  const looking = (element, call) => {
    let timer = null;
    let turn = 0;
    let wait = LOOK_MS;
    const look = async () => {
      const mine = ++turn;
      clearTimeout(timer);
      if (document.hidden) return;
      const seen = await call.look({});
      if (mine !== turn) return;
      wait = seen ? LOOK_MS : Math.min(2 * wait, MOST_MS);
      if (!seen && (await isLocked())) {
        if (mine === turn) sayLocked(element);
        return; // each look would have the browser ask for the password again
      }
      if (seen && !seen.trouble) {
        if (element.innerHTML !== seen.now) element.innerHTML = seen.now;
        await picsift.keepUp(seen);
      }
      if (mine === turn) timer = setTimeout(look, wait);
    };
    document.addEventListener("visibilitychange", look); // at once when somebody is back
    window.addEventListener("online", look);
    answered = () => wait > LOOK_MS && look(); // the server is back
    look();
  };

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("#panel button");
    if (!button) return;
    const opens = button.ariaExpanded !== "true";
    button.ariaExpanded = String(opens);
    document.querySelector("#filters").classList.toggle("open", opens);
  });

  let answered = () => {};
  const untell = () => document.querySelectorAll(".told").forEach((old) => old.remove());
  const tell = (text) => { // what went wrong, until it is read or something else is done
    untell();
    const told = Object.assign(document.createElement("p"), { className: "told", role: "alert", textContent: text });
    told.addEventListener("click", () => told.remove());
    document.body.append(told);
  };

  let give = () => {}; // until the button is there
  const picture = (element) => {
    const [button, input] = [element.querySelector("button"), element.querySelector("input")];
    const most = Number(input.dataset.most);
    let sending = null;

    const send = async (file, among, signal) => {
      if (file.size > most) return tell(`The picture is larger than ${most / 2 ** 20} MB. Take a smaller one.`);
      const answer = await fetch("api/v1/pictures", { method: "POST", body: file, signal });
      const said = await answer.json();
      if (signal.aborted) return;
      if (!answer.ok) return tell(said.detail.charAt(0).toUpperCase() + said.detail.slice(1));
      const shown = await picsift.searchBy(said.token);
      if (shown && among > 1) tell(`Only one picture is searched by: the first of these ${among}.`);
    };
    give = async (files) => {
      if (!files.length || isCovered()) return; // no answer would be seen
      if (sending) sending.abort(); // the latest picture is the one that is meant
      const mine = (sending = new AbortController());
      button.ariaBusy = "true";
      try {
        await send(files[0], files.length, mine.signal);
      } catch (error) {
        if (!mine.signal.aborted) tell("The picture did not reach picsift. Is it still running?");
      } finally {
        if (sending === mine) button.ariaBusy = "false";
      }
    };
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      give([...input.files]);
      input.value = ""; // so that the same one can be taken again
    });
  };

  const isCovered = () => document.querySelector("dialog[open]") !== null;
  const holdsFile = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  let depth = 0;
  const dragging = (by) => {
    depth = Math.max(0, depth + by);
    document.body.classList.toggle("dropping", depth > 0 && !isCovered());
  };
  document.addEventListener("dragenter", (event) => holdsFile(event) && dragging(1));
  document.addEventListener("dragleave", (event) => holdsFile(event) && dragging(-1));
  document.addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    if (isCovered()) event.dataTransfer.dropEffect = "none";
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    depth = 0;
    dragging(0);
    give(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) give(event.clipboardData.files);
  });
  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, select");
    if (event.key === "/" && !inField && !document.body.classList.contains("viewing")) {
      event.preventDefault();
      document.querySelector("#words input").focus();
    }
  });

  return { answered: () => answered(), hushLocked, looking, lost, picture, tell, untell };
})());
