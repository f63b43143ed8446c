// Exporting tags: what would be written, file by file, before anything is; then how far it is, what came of it, and the
// way back. It asks the HTTP API and names no file.
(() => {
  const { bdi, element, plain, request } = window.picsift;
  const SHOWN = 300; // files of a preview that are listed
  const ASK_MS = 500; // between two looks at what is running
  const KINDS = { new: "new", change: "changed", leave: "left alone", "as it should be": "as they should be" };

  let dialog = null;
  let verb = ""; // what was begun here does to files
  let token = null; // of the preview that is shown whole: nothing else is written
  let turn = 0; // counts previews, so that a late page of an older one is dropped
  const part = (name) => dialog.querySelector(name);
  const amount = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const nameOf = (path) => path.split(/[\\/]/).pop();
  const say = (text, trouble = false) => {
    part(".note").textContent = text;
    part(".note").classList.toggle("trouble", trouble);
  };

  // What would be written
  const line = (file) => {
    const signs = [...file.added.map((tag) => ["+ ", bdi(tag)]), ...file.removed.map((tag) => ["− ", bdi(tag)]),
      ...file.words.map((word) => [word])];
    const told = file.reason ? [bdi(file.reason)] : signs.flatMap((sign, at) => (at ? [", ", ...sign] : sign));
    return element("li", { className: file.outcome === "leave" ? "alone" : "", title: plain(file.file) },
      element("span", {}, bdi(nameOf(file.file))), element("small", {}, ...told));
  };
  const preview = async () => {
    const mine = (turn += 1);
    const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
    part(".files").replaceChildren();
    ready(null);
    let page = 0;
    let known = null;
    while (page !== null) {
      const asked = new URLSearchParams({ naming: part("[name=naming]").value, page });
      if (known) asked.set("token", known);
      const told = await request(`exports/preview?${asked}`).catch((trouble) => trouble);
      if (mine !== turn) return;
      if (told instanceof Error) return say(`${part(".note").textContent} ${told.message}`.trim(), true);
      for (const file of told.files) {
        counts[file.outcome] += 1;
        const listed = part(".files").childElementCount;
        if (listed < SHOWN && file.outcome !== "as it should be") part(".files").append(line(file));
      }
      page = told.following;
      known = told.token;
      count(counts, page === null);
    }
    token = known;
    ready(counts.new + counts.change);
  };
  const count = (counts, whole) => {
    const told = Object.keys(KINDS).filter((kind) => counts[kind]).map(
      (kind) => `${counts[kind].toLocaleString("en")} ${KINDS[kind]}`);
    const nothing = "No photo has an accepted tag yet: there is nothing to write.";
    const more = counts.new + counts.change + counts.leave - SHOWN;
    part(".counts").textContent = (told.join(", ") || (whole ? nothing : "")) + (whole ? "" : " …")
      + (more > 0 ? `; the first ${SHOWN} are listed` : "");
  };
  const busy = (running) => { // meanwhile nothing else is begun, and what a preview would say changes
    part("[name=naming]").disabled = running;
    part(".history").inert = running;
  };
  const ready = (files) => { // null: it is not known yet, or something is running
    part(".go").disabled = !files;
    part(".go").textContent = files ? `Write ${amount(files, "file")}` : "Write files";
  };

  // What runs, and what came of it
  const follow = async (mine = turn) => {
    part(".run").hidden = false;
    busy(true);
    ready(null);
    for (;;) {
      const job = await request("exports/run").catch((trouble) => trouble);
      if (mine !== turn) return;
      if (job instanceof Error) return end(job.message, true);
      part("progress").max = job.total || 1;
      if (job.total) part("progress").value = job.done;
      else part("progress").removeAttribute("value");
      if (job.state !== "running") return finished(job);
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  };
  const end = async (text, trouble = false) => {
    part(".run").hidden = true;
    busy(false);
    say(text, trouble);
    await Promise.all([history(), preview()]);
  };
  const finished = ({ state, problem, report }) => {
    if (!report) return end(problem || "", Boolean(problem));
    if (report.changed) {
      const before = report.written ? `${amount(report.written, "file")} ${verb}, then it was stopped` : "Nothing was written";
      return end(`${before}: what is to be written changed since it was shown. This is what would be written now.`, true);
    }
    const alone = report.refused ? `, ${report.refused.toLocaleString("en")} left alone` : "";
    const stopped = state === "stopped" ? " It was stopped; what is done is in the list below." : "";
    return end(`Done: ${amount(report.written, "file")} ${verb || "changed"}${alone}.${stopped}`);
  };
  const start = async (path, body, does) => {
    verb = does;
    say("");
    busy(true);
    ready(null);
    const begun = await request(path, "POST", body).catch((trouble) => trouble);
    if (begun instanceof Error) return end(begun.message, true);
    turn += 1; // a preview that is under way is of before
    part(".stop").focus();
    return follow();
  };

  // What was, and the way back
  const history = async () => {
    const known = await request("exports").catch(() => []);
    part(".none").hidden = known.length > 0;
    part(".history").replaceChildren(...known.map((entry) => {
      const when = new Date(entry.started_at).toLocaleString();
      const whole = entry.finished_at !== null; // else it runs, or was interrupted before the journal had counted
      const after = entry.undone_at ? "put back" : entry.forgotten ? "for good" : whole ? "" : "not finished";
      const files = whole ? amount(entry.files, "file") : entry.files ? `at least ${amount(entry.files, "file")}` : "";
      const told = [when, files, after].filter(Boolean).join(" · ");
      const button = element("button", { type: "button", textContent: "Undo" });
      button.ariaLabel = `Undo the export of ${when}`;
      button.addEventListener("click", () => start(`exports/${entry.id}/undo`, {}, "put back"));
      const undone = entry.undone_at || entry.forgotten || (whole && !entry.files);
      return element("li", {}, element("span", { textContent: told }), ...(undone ? [] : [button]));
    }));
  };

  window.picsift.tool("export", {
    begin: (made) => {
      dialog = made;
      part("[name=naming]").addEventListener("change", () => {
        say("");
        preview();
      });
      part(".go").addEventListener("click", () =>
        start("exports", { naming: part("[name=naming]").value, token }, "written"));
      part(".stop").addEventListener("click", () => request("exports/run", "DELETE").catch(() => null));
    },
    opened: async () => {
      const mine = (turn += 1);
      verb = "";
      say("");
      busy(false);
      part(".run").hidden = true;
      part(".counts").textContent = "Looking at what would be written…";
      history();
      const job = await request("exports/run").catch(() => ({}));
      if (mine !== turn) return;
      if (job.state === "running") follow();
      else preview();
    },
    closed: () => (turn += 1),
  });
})();
