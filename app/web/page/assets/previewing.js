// What an export would write, file by file and with the reason for each change, as the export dialog lists it. It asks the
// HTTP API page by page, and writes nothing.
window.picsift.previewing = (() => {
  const { bdi, element, plain, request } = window.picsift;
  const SHOWN = 300; // files that are listed
  const AGAIN_MS = 1000; // until a preview that has to wait for another one asks again
  const KINDS = { new: "new", change: "changed", leave: "left alone", "as it should be": "as they should be" };
  const COMPLETED = { XMP: "completes the lists of tags in XMP", IPTC: "completes IPTC" };

  const amount = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const nameOf = (path) => path.split(/[\\/]/).pop();
  const noRoom = (texts) => element("small", {}, "IPTC has no room for all of ",
    ...texts.flatMap((text, at) => (at ? [", ", bdi(text)] : [bdi(text)])), "; XMP has it whole");

  const reasons = (file) => {
    if (file.reason) return [bdi(file.reason)];
    const signs = [...file.added.map((tag) => ["+ ", bdi(tag)]), ...file.removed.map((tag) => ["− ", bdi(tag)]),
      ...file.words.map((word) => [word]), ...file.completed.map((part) => [COMPLETED[part]])];
    return signs.flatMap((sign, at) => (at ? [", ", ...sign] : sign));
  };
  const line = (file) =>
    element("li", { className: file.outcome === "leave" ? "alone" : "", title: plain(file.file) },
      element("span", {}, bdi(nameOf(file.file))), element("small", {}, ...reasons(file)),
      ...(file.shortened.length ? [noRoom(file.shortened)] : []));
  // What a report says of single files
  const left = ({ left_alone: alone = [], refused = 0, shortened = [] }) => [
    ...alone.slice(0, SHOWN).map(({ file, reason }) => element("li", { className: "alone", title: plain(file) },
      element("span", {}, bdi(nameOf(file))), element("small", {}, bdi(reason)))),
    ...(refused > SHOWN ? [element("li", { textContent: `and ${(refused - SHOWN).toLocaleString("en")} more left alone` })] : []),
    ...shortened.slice(0, SHOWN).map(({ file, texts }) =>
      element("li", { title: plain(file) }, element("span", {}, bdi(nameOf(file))), noRoom(texts))),
  ];
  const told = (counts, photos) => { // so far, of so many photos; of all where `photos` is null
    const whole = photos === null;
    const known = Object.keys(KINDS).filter((kind) => counts[kind]).map(
      (kind) => `${counts[kind].toLocaleString("en")} ${KINDS[kind]}`);
    const nothing = "No photo has an accepted tag yet: there is nothing to write.";
    const more = counts.new + counts.change + counts.leave - SHOWN;
    const said = known.join(", ") || (whole ? nothing : "nothing");
    return said + (whole ? "" : ` so far, of ${amount(photos, "photo")}`) + (more > 0 ? `; the first ${SHOWN} are listed` : "");
  };

  // All pages, each shown as it comes; gives what an export is bound to, { token, files }. Throws as `request` does, and
  // nothing is shown any more once `signal` says that nobody wants it.
  const read = async (choice, signal, list, counted) => {
    const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
    let [page, token] = [0, null];
    while (page !== null) {
      const asked = new URLSearchParams({ ...choice, page, ...(token ? { token } : {}) });
      const found = await request(`exports/preview?${asked}`, "GET", undefined, { signal }).catch((trouble) => trouble);
      signal.throwIfAborted();
      if (found.status === 409) {
        counted("Waiting: another preview is reading your photos…");
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        signal.throwIfAborted();
        continue;
      }
      if (found instanceof Error) throw found;
      for (const file of found.files) {
        counts[file.outcome] += 1;
        if (list.childElementCount < SHOWN && file.outcome !== "as it should be") list.append(line(file));
      }
      [page, token] = [found.following, found.token];
      counted(told(counts, page === null ? null : found.photos));
    }
    return { token, files: counts.new + counts.change };
  };
  return { amount, left, read };
})();
