// Runs that suggest tags, begun, followed and stopped from the review dialog: a line with progress, and what came of it.
window.picsift.suggesting = (() => {
  const { request } = window.picsift;
  const ASK_MS = 500; // between two looks at how far it is
  const LATER_MS = 2000; // after one that failed
  const LOOKING = "Looking through your photos for what is in them…";

  let dialog = null;
  let turn = 0; // counts openings of the dialog, so that a late answer knows that it is late
  let done = () => null; // told that a run has ended
  const part = (name) => dialog.querySelector(`.suggesting ${name}`);
  const all = () => [...dialog.querySelectorAll("[data-suggest]")];
  const amount = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  const say = (text, trouble = false) => {
    part(".how").textContent = text;
    part(".how").classList.toggle("trouble", trouble);
    show();
  };
  const show = (running = false) => {
    dialog.querySelector(".suggesting").hidden = !running && !part(".how").textContent;
    part("progress").hidden = part(".stop").hidden = !running;
    for (const button of all()) button.disabled = running;
  };
  const result = ({ state, problem, report }) => {
    if (!report) return say(problem || "", Boolean(problem));
    const found = `${amount(report.suggestions, "suggestion")} for ${amount(report.photos, "photo")}.`;
    say(state === "stopped" ? `Stopped: ${found}` : report.photos ? `Done: ${found}` : "Done: no photo is to be tagged.");
  };
  const follow = async (mine) => {
    part(".how").textContent = LOOKING;
    part(".how").classList.remove("trouble");
    part("progress").removeAttribute("value");
    show(true);
    for (;;) {
      const job = await request("tagging").catch((trouble) => trouble);
      if (mine !== turn) return;
      if (job instanceof Error) { // the run may go on: it can be stopped, and is asked about again
        part(".how").textContent = job.message;
        part(".how").classList.add("trouble");
        await new Promise((resolve) => setTimeout(resolve, LATER_MS));
        if (mine !== turn) return;
        continue;
      }
      if (job.state !== "running") {
        result(job);
        return done();
      }
      part(".how").textContent = LOOKING;
      part(".how").classList.remove("trouble");
      part("progress").max = job.total || 1;
      if (job.total) part("progress").value = job.done;
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  };
  const start = async () => {
    const mine = turn;
    for (const button of all()) button.disabled = true;
    const begun = await request("tagging", "POST", {}).catch((trouble) => trouble);
    if (mine !== turn) return;
    if (begun instanceof Error) return say(begun.message, true);
    follow(mine);
  };
  const begin = (made, whenDone) => {
    dialog = made;
    done = whenDone;
    dialog.addEventListener("click", ({ target }) => target.closest("[data-suggest]") && start());
    part(".stop").addEventListener("click", () => request("tagging", "DELETE").catch(() => null));
  };
  const opened = async () => {
    const mine = (turn += 1);
    say("");
    const job = await request("tagging").catch(() => ({}));
    if (mine === turn && job.state === "running") follow(mine);
  };
  const closed = () => (turn += 1);
  const isRunning = () => !part("progress").hidden;
  return { begin, closed, isRunning, opened };
})();
