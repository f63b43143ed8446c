// People's words on suggestions, on their way: those that wait go together, one request after the other, and a word on
// what another one is under way about waits for its answer. When the page goes, what waits is sent at once, and the
// browser asks whether to leave. It shows nothing.
window.picsift.sending = (() => {
  const { request } = window.picsift;
  const MOST = 100; // words of one request
  const KEPT_BYTES = 30000; // of a request that outlives its page: a browser keeps twice that, of all together

  const all = new Set(); // what has no answer yet: { word, still, answer, resolve, reject }, in the order of saying
  const held = new Set(); // of these, what waits for the answer to another word on the same suggestion
  let waiting = []; // and what is to go next
  let flying = 0;

  const settle = (entry, how, what) => {
    all.delete(entry);
    entry[how](what);
  };
  const flush = async (leaving = false) => {
    if (!waiting.length || (flying && !leaving)) return;
    const part = waiting.splice(0, MOST);
    const words = part.map((entry) => entry.word);
    const keepalive = new Blob([JSON.stringify(words)]).size < KEPT_BYTES;
    flying += 1;
    const told = await request("review", "POST", { words }, { keepalive }).catch((trouble) => trouble);
    flying -= 1;
    const answers = part.map((entry, at) => [entry, told instanceof Error ? "reject" : "resolve", told[at] || told]);
    answers.reverse().forEach((answer) => settle(...answer)); // what is asked again comes in the order of before
    flush();
  };
  const release = (entry) => {
    if (!held.delete(entry)) return; // it was withdrawn, or went when the page did
    if (!entry.still()) return settle(entry, "resolve", { became: "withdrawn" });
    waiting.push(entry);
    flush();
  };
  const same = (one, other) => one.photo === other.photo && one.tag === other.tag;
  const say = (word, still = () => true) => { // still: whether it is still meant when its turn has come
    const before = [...all].reverse().find((entry) => same(entry.word, word));
    const entry = { word, still };
    entry.answer = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    all.add(entry);
    held.add(entry);
    if (before) before.answer.catch(() => null).then(() => release(entry));
    else release(entry);
    return entry;
  };
  const withdraw = (entry) => { // whether it had not gone yet
    const there = held.delete(entry) || waiting.includes(entry);
    waiting = waiting.filter((one) => one !== entry);
    if (there) settle(entry, "resolve", { became: "withdrawn" });
    return there;
  };
  const idle = () => Promise.allSettled([...all].map((entry) => entry.answer));

  window.addEventListener("beforeunload", (event) => all.size && event.preventDefault());
  window.addEventListener("pagehide", () => {
    [...held].forEach(release);
    while (waiting.length) flush(true);
  });
  return { idle, open: () => all.size, say, withdraw };
})();
