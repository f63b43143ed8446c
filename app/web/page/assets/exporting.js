// Exporting tags: what would be written before anything is; then how far it is, what came of it, and the way back, until
// that is given up. It asks the HTTP API and names no file.
(() => {
  const { element, request, sentence } = window.picsift;
  const { amount, left, read } = window.picsift.previewing;
  const ASK_MS = 500; // between two looks at what is running
  const LOST_MS = 2000; // the same, while no answer comes
  const UNITS = ["bytes", "kB", "MB", "GB"];

  let dialog = null;
  let state = "unknown"; // "idle" once it is known that nothing runs: nothing is begun before; else "busy"
  let shown = null; // the preview that is shown whole: nothing else is written
  let turn = 0; // counts what is followed, so that a late answer on what was before is dropped
  let lists = 0; // counts lists of earlier exports, for the same
  let listed = ""; // these exports
  let reading = new AbortController(); // ends the preview that is under way
  let posted = Promise.resolve(); // what is being begun
  let begun = null; // by its start, what this page began and has not told the end of; undefined: an answer did not come
  const part = (name) => dialog.querySelector(name);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const noun = (into) => (into ? "photo" : "file");
  const size = (bytes) => {
    const unit = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
    return `${(bytes / 1000 ** unit).toLocaleString("en", { maximumFractionDigits: unit ? 1 : 0 })} ${UNITS[unit]}`;
  };
  const say = (text, trouble = false) => {
    part(".note").textContent = text;
    part(".note").classList.toggle("trouble", trouble);
  };
  const clear = () => {
    say("");
    part(".left").replaceChildren();
  };

  // Where tags go
  const into = () => part("[name=way]:checked").value === "into";
  const choose = (way) => {
    if (way) part(`[name=way][value=${way}]`).checked = true;
    for (const one of dialog.querySelectorAll("[data-way]")) one.hidden = one.dataset.way !== (into() ? "into" : "beside");
  };
  const ways = async () => {
    const [hint, choice] = [part("small.into"), part("[name=way][value=into]")];
    hint.textContent = "Looking for ExifTool…";
    choice.disabled = !choice.checked; // what runs, or was chosen, stays chosen
    const told = await request("exports/ways").catch((trouble) => trouble);
    const found = told instanceof Error ? { reason: told.message } : told.find(({ way }) => way === "into");
    hint.textContent = found.works ? "By ExifTool, each with its original kept" : sentence(found.reason);
    choice.disabled = !found.works && !choice.checked;
  };

  // What would be written
  const become = (now) => {
    state = now;
    part(".ways").disabled = part("[name=naming]").disabled = state !== "idle";
    part(".history").inert = state !== "idle";
    for (const button of dialog.querySelectorAll(".history button")) button.disabled = state !== "idle";
    offer(state === "idle" ? shown : null);
  };
  const offer = (known) => { // null: it is not known yet, or something runs
    shown = known;
    const files = known ? known.files : 0;
    part(".sure").hidden = true;
    part(".go").hidden = false;
    part(".go").disabled = !files;
    if (into()) part(".go").textContent = files ? `Write into ${amount(files, "photo")}…` : "Write into photos…";
    else part(".go").textContent = files ? `Write ${amount(files, "file")}` : "Write files";
  };
  const forgetPreview = () => {
    reading.abort();
    part(".files").replaceChildren();
    offer(null);
  };
  const preview = async () => {
    forgetPreview();
    reading = new AbortController();
    const { signal } = reading;
    part(".counts").textContent = into() ? "Reading your photos…" : "Looking at what would be written…";
    const choice = into() ? { into_files: true } : { naming: part("[name=naming]").value };
    const told = (text) => (part(".counts").textContent = text);
    const found = await read(choice, signal, part(".files"), told).catch((trouble) => trouble);
    if (signal.aborted) return;
    if (!(found instanceof Error)) return offer(state === "idle" ? found : null);
    part(".counts").textContent = "";
    say(`${part(".note").textContent} ${found.message}`.trim(), true);
  };

  // What runs, and what came of it
  const look = async (then = null) => { // at what runs, and follow it; `then` says what came of it
    const mine = (turn += 1);
    become("unknown");
    part(".stop").disabled = false;
    let lost = false;
    for (;;) {
      const job = await request("exports/run").catch((trouble) => trouble);
      if (mine !== turn) return;
      if (job instanceof Error || lost) say(job.message || "", true);
      lost = job instanceof Error;
      if (!lost && job.state !== "running") return ended(() => (then || meanwhile)(job));
      if (!lost) {
        then = finished;
        running(job);
      }
      await pause(lost ? LOST_MS : ASK_MS);
      if (mine !== turn) return;
    }
  };
  const running = (job) => {
    if (job.doing === "export") choose(job.way); // of what another window began, too
    if (state !== "busy") become("busy");
    part(".run").hidden = false;
    part("progress").max = job.total || 1;
    if (job.total) part("progress").value = job.done;
    else part("progress").removeAttribute("value");
  };
  const ended = async (tell) => {
    part(".run").hidden = true;
    become("idle");
    tell();
    await Promise.all([history(), preview()]);
  };
  const whose = (job) => { // a sentence on a run that is not what this page began
    const [ours, awaited] = [job.state === "never" || begun === undefined || job.started_at === begun, begun !== null];
    begun = null;
    if (ours) return "";
    return awaited ? "What this page began has ended, and is in the list below. This is a later run, begun in another window. "
      : "This run was begun in another window, or before this page was loaded. ";
  };
  const meanwhile = (job) => { // what this page began may have ended while the dialog was closed
    if (begun && job.started_at === begun) finished(job);
    begun = null;
  };
  const finished = (job) => {
    const { state: end, doing, way, problem, report } = job;
    const of = whose(job);
    const tell = (text, trouble) => say(`${of}${text}`, trouble);
    const files = (number) => amount(number, noun(way === "into"));
    const verb = doing === "undo" ? "put back" : "written";
    if (!report) return tell(sentence(problem || "picsift was started anew meanwhile. What was done is in the list below."), true);
    part(".left").replaceChildren(...left(report));
    const alone = report.refused ? `, ${report.refused.toLocaleString("en")} left alone` : "";
    const done = `${files(report.written)} ${verb}${alone}`;
    if (problem) return tell(`${sentence(problem)} Until then: ${done}.`, true);
    if (report.changed) {
      const before = report.written ? `${done}, then it was stopped` : "Nothing was written";
      return tell(`${before}: what is to be written changed since it was shown. This is what would be written now.`, true);
    }
    const stopped = end === "stopped" ? " It was stopped; what is done is in the list below." : "";
    return tell(`Done: ${done}.${stopped}`);
  };
  const start = async (path, body) => {
    if (state !== "idle") return;
    const mine = (turn += 1);
    clear();
    become("busy");
    forgetPreview(); // it is of before
    part(".counts").textContent = "";
    part(".run").hidden = false;
    part("progress").removeAttribute("value");
    part(".stop").focus();
    posted = request(path, "POST", body).catch((trouble) => trouble);
    const answer = await posted;
    const refused = answer instanceof Error;
    if (!refused) begun = answer.started_at;
    else begun = answer.status ? null : undefined;
    if (mine !== turn) return;
    if (refused) say(answer.message, true);
    await look(refused ? null : finished);
  };
  const stop = async () => {
    part(".stop").disabled = true;
    const told = await request("exports/run", "DELETE").catch((trouble) => trouble);
    if (!(told instanceof Error)) return;
    part(".stop").disabled = false;
    say(told.message, true);
  };
  const go = () => {
    if (!into()) return start("exports", { naming: part("[name=naming]").value, token: shown.token });
    const photos = amount(shown.files, "photo");
    part("#export-sure").textContent = `Write into ${photos}? The files themselves change, the pictures in them do not. `
      + "Undo brings the originals back for as long as they are kept.";
    part(".sure .write").textContent = `Write into ${photos}`;
    part(".go").hidden = true;
    part(".sure").hidden = false;
    part(".sure .not").focus();
  };

  // What was, and the way back
  const button = (text, label, act, className = "") => {
    const made = element("button", { type: "button", textContent: text, disabled: state !== "idle", className });
    if (label) made.ariaLabel = label;
    made.addEventListener("click", () => state === "idle" && act());
    return made;
  };
  const wayBack = (entry) => entry.undoable || (entry.finished_at === null && !entry.undone_at && !entry.forgotten);
  const history = async () => {
    const mine = (lists += 1);
    const known = await request("exports").catch((trouble) => trouble);
    if (mine !== lists) return;
    if (known instanceof Error) return say(`${part(".note").textContent} ${known.message}`.trim(), true);
    if (JSON.stringify(known) === listed) return; // a question that is asked of one of them stays
    listed = JSON.stringify(known);
    part(".none").hidden = known.length > 0;
    part(".history").replaceChildren(...known.map((entry) => line(entry, known)));
  };
  const line = (entry, known) => {
    const when = new Date(entry.started_at).toLocaleString();
    const whole = entry.finished_at !== null; // else it runs, or was interrupted before the journal had counted
    const back = entry.put_back ? `${entry.put_back.toLocaleString("en")} put back` : "";
    const after = entry.undone_at ? "put back" : entry.forgotten ? "cannot be undone any more" : whole ? back : "not finished";
    const counted = amount(entry.files, noun(entry.kind === "files"));
    const told = [when, whole ? counted : entry.files ? `at least ${counted}` : "", after].filter(Boolean).join(" · ");
    const made = element("li", {}, element("span", { textContent: told }));
    const undo = () => start(`exports/${entry.id}/undo`, {});
    if (wayBack(entry)) made.append(button("Undo", `Undo the export of ${when}`, undo));
    if (wayBack(entry) && whole) made.append(button("Forget…", `Forget the way back from the export of ${when}`, () => sure(made, entry, known)));
    return made;
  };
  const sure = (place, entry, known) => { // one that is forgotten takes those before it along: see `picsift export --forget`
    const before = [...place.childNodes];
    const gone = known.filter((one) => one.id <= entry.id && wayBack(one));
    const others = gone.length > 1 ? ` and from the ${amount(gone.length - 1, "export")} before it` : "";
    const freed = gone.reduce((sum, one) => sum + (one.kept_bytes || 0), 0);
    const question = `Give up the way back from this export${others}? What was written stays written, and no undo brings back `
      + `what was there before.${freed ? ` This frees ${size(freed)}.` : ""}`;
    const keep = button("Keep", "", () => {
      place.replaceChildren(...before);
      before.at(-1).focus();
    });
    place.replaceChildren(element("p", { textContent: question }), button("Forget", "", () => forget(entry.id), "danger"), keep);
    keep.focus();
  };
  const forget = async (number) => {
    const mine = (turn += 1);
    clear();
    become("busy");
    posted = request(`exports/${number}/forget`, "POST", {}).catch((trouble) => trouble);
    const told = await posted;
    if (mine !== turn) return;
    const gone = told.length ? `${amount(told.length, "export")} cannot be undone any more.` : "It could not be undone any more before.";
    say(told.message || gone, told instanceof Error);
    await look();
  };

  window.picsift.tool("export", {
    begin: (made) => {
      dialog = made;
      dialog.addEventListener("change", () => {
        if (state !== "idle") return;
        choose();
        clear();
        preview();
      });
      part(".go").addEventListener("click", go);
      part(".sure .write").addEventListener("click", () => start("exports", { into_files: true, token: shown.token }));
      part(".sure .not").addEventListener("click", () => {
        offer(shown);
        part(".go").focus();
      });
      part(".stop").addEventListener("click", stop);
    },
    opened: async () => {
      const mine = (turn += 1);
      clear();
      choose();
      forgetPreview();
      become("unknown");
      part(".run").hidden = true;
      part(".history").replaceChildren();
      listed = "";
      part(".counts").textContent = "Looking at what runs…";
      ways();
      history();
      const told = await posted; // what was begun before it was closed
      if (mine !== turn) return;
      posted = Promise.resolve();
      if (told instanceof Error) say(told.message, true);
      look();
    },
    closed: () => {
      turn += 1;
      lists += 1;
      reading.abort();
    },
  });
})();
