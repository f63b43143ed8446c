// One photo, large: opening and closing it, the way to its neighbours, and what stands in when a file cannot be shown.
Object.assign(window.picsift, (() => {
  let root = null;
  let call = null;
  let turn = 0; // counts what was opened and closed: a late answer opens nothing that was closed meanwhile
  let wanted = null; // the id of the photo that is shown, or waited for
  let opener = null;
  let leaving = null; // the way back that `close` takes, until it is gone

  const shown = () => root.querySelector(".viewer");
  const tiles = () => [...document.querySelectorAll("#grid [data-id]:not([data-gone])")];
  const tileOf = (id) => document.querySelector(`#grid [data-id="${id}"]`);

  const open = async (photo, frame, { visited = false } = {}) => {
    const mine = ++turn;
    wanted = photo;
    tiles().forEach((tile) => (tile.ariaBusy = String(tile.dataset.id === photo)));
    const answer = (await call.enlarge({ photo, frame })) || { trouble: "No answer came from picsift. Try again." };
    if (mine !== turn) return;
    if (answer.trouble) {
      const gone = answer.gone && tileOf(photo);
      if (gone) [gone.ariaBusy, gone.dataset.gone] = ["false", ""]; // it bars the way to no other
      if (shown()) wanted = shown().dataset.photo; // a step that failed leaves the photo that is open
      else leave();
      if (shown()) showSteps();
      return picsift.tell(answer.trouble);
    }
    await leaving;
    if (mine !== turn) return;
    if (!visited) visit(photo, frame);
    root.innerHTML = answer.large;
    settle();
  };
  const visit = (photo, frame) => {
    const address = picsift.addressOf(photo, frame);
    if (shown()) history.replaceState(history.state, "", address);
    else history.pushState(picsift.stateOf({ viewing: true }), "", address);
  };
  const showSteps = () => {
    for (const step of shown().querySelectorAll("[data-step]")) step.disabled = isLast(Number(step.dataset.step));
  };
  const settle = () => {
    tiles().forEach((tile) => (tile.ariaBusy = "false"));
    opener = tileOf(wanted);
    showSteps();
    document.body.classList.add("viewing");
    shown().querySelector(".marks").hidden = !picsift.canMark();
    shown().querySelector("[data-why]").hidden = !picsift.soughtWords() || !shown().querySelector("figure img");
    picsift.showMarks(shown());
    shown().focus();
  };
  const hide = () => {
    turn += 1;
    wanted = null;
    tiles().forEach((tile) => (tile.ariaBusy = "false"));
    if (!shown()) return;
    root.replaceChildren();
    document.body.classList.remove("viewing");
    if (opener) opener.focus({ preventScroll: true });
  };
  const leave = () => {
    hide();
    history.replaceState(picsift.stateOf(), "", picsift.addressOf());
  };
  const close = () => {
    const opened = shown() && history.state && history.state.viewing; // here, and not by a link
    if (!opened) return leave();
    hide();
    leaving = new Promise((gone) => window.addEventListener("popstate", gone, { once: true }));
    leaving.then(() => (leaving = null));
    history.back();
  };
  const goTo = (photo, frame) => { // as the address says
    if (!photo) hide();
    else if (photo !== wanted) open(photo, frame || undefined, { visited: true });
  };
  const neighbour = (by) => {
    const all = tiles();
    const at = all.findIndex((tile) => tile.dataset.id === wanted);
    return at < 0 ? undefined : all[at + by];
  };
  const isLast = (by) => !neighbour(by) && !(by > 0 && tileOf(wanted) && picsift.hasMore());
  const step = async (by) => {
    const from = wanted;
    if (by > 0 && !neighbour(by)) await picsift.more();
    const to = neighbour(by);
    if (to && wanted === from) open(to.dataset.id, to.dataset.frame);
  };

  const instead = ({ target }) => { // the file cannot be read now: the thumbnail is there still
    const { instead: other, still } = target.dataset;
    if (still) { // a video that this browser cannot play
      const image = Object.assign(new Image(), { alt: target.ariaLabel, src: still });
      image.dataset.instead = other;
      target.replaceWith(image);
      return;
    }
    delete target.dataset.instead;
    if (other) target.src = other;
  };
  const keepFocus = (event, dialog) => {
    const stops = [...dialog.querySelectorAll("button:enabled, a, video")].filter((stop) => stop.getClientRects().length);
    const at = stops.indexOf(document.activeElement);
    const to = event.shiftKey ? Math.max(at, 0) - 1 : at + 1;
    event.preventDefault();
    stops.at(to % stops.length).focus();
  };
  // Why it matched: where in the photo the words are, laid over it
  const NOT_SHOWN = "As far as the model can tell, the words are not in this picture. Words that it carries may be why it was found.";
  const uncover = () => {
    root.querySelectorAll(".heat").forEach((old) => old.remove());
    root.querySelectorAll("[data-why]").forEach((button) => (button.ariaPressed = "false"));
  };
  const why = async (button) => {
    if (button.ariaPressed === "true") return uncover();
    const mine = turn;
    button.ariaPressed = "true";
    const tile = tileOf(wanted);
    const frame = (tile && tile.dataset.frame) || 0;
    const said = await fetch(`api/v1/photos/${wanted}/heat?${new URLSearchParams({ q: picsift.soughtWords(), frame })}`)
      .then((answer) => answer.json())
      .catch(() => ({ detail: "No answer came from picsift. Try again." }));
    if (mine !== turn || button.ariaPressed !== "true") return;
    if (said.heat && said.relevance !== null && said.relevance < 0.5) picsift.tell(NOT_SHOWN);
    if (said.heat) return cover(said);
    uncover();
    picsift.tell(said.detail);
  };
  const cover = ({ heat, region: { left, top, width, height } }) => {
    const [image, figure] = [shown().querySelector("figure img"), shown().querySelector("figure")];
    const [photo, frame] = [image.getBoundingClientRect(), figure.getBoundingClientRect()];
    const canvas = Object.assign(document.createElement("canvas"), { className: "heat", width: heat[0].length, height: heat.length });
    const pixels = heat.flat().flatMap((one) => [255, 70, 0, Math.round(190 * one)]);
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), canvas.width), 0, 0);
    const [x, y] = [photo.left - frame.left + left * photo.width, photo.top - frame.top + top * photo.height];
    const at = { left: x, top: y, width: width * photo.width, height: height * photo.height };
    for (const [name, value] of Object.entries(at)) canvas.style[name] = `${value}px`;
    figure.append(canvas);
  };
  window.addEventListener("resize", () => root && uncover()); // where it lay is elsewhere now

  const mark = ({ dataset }) => { // the answer that follows shows it; the photo is left
    close();
    (leaving || Promise.resolve()).then(() => picsift.mark(dataset.mark, dataset.of));
  };
  const press = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own: Alt and an arrow lead back
    if (event.key === "Escape" && wanted !== null) close(); // what is waited for, too
    if (!shown()) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === "Tab") keepFocus(event, shown());
  };
  const click = (event) => {
    const at = (what) => event.target.closest(`[data-${what}]`);
    if (at("close") || event.target.matches("figure")) close();
    else if (at("open")) open(at("open").dataset.open);
    else if (at("step")) step(Number(at("step").dataset.step));
    else if (at("why")) why(at("why"));
    else if (at("mark")) mark(at("mark"));
    else if (at("like")) {
      picsift.searchLike(wanted);
    }
  };

  // A swipe over the photo, by one finger and while it is not enlarged, leads to its neighbour.
  let from = null;
  const touch = ({ touches, target }) => {
    const one = touches.length === 1 && target.closest("figure") && !target.closest("video");
    from = one && window.visualViewport.scale <= 1.01 ? touches[0] : null;
  };
  const lift = ({ changedTouches }) => {
    if (!from) return;
    const [right, down] = [changedTouches[0].clientX - from.clientX, changedTouches[0].clientY - from.clientY];
    from = null;
    if (Math.abs(right) > 48 && Math.abs(right) > 2 * Math.abs(down)) step(right < 0 ? 1 : -1);
  };

  const viewing = (element, functions) => {
    [root, call] = [element, functions];
    element.addEventListener("click", click);
    element.addEventListener("touchstart", touch, { passive: true });
    element.addEventListener("touchend", lift, { passive: true });
    element.addEventListener("error", instead, true);
    document.addEventListener("keydown", press);
  };
  return { goTo, left: () => leaving, open, shut: hide, viewing };
})());
