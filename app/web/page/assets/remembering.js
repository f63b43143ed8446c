// What a browser keeps with each entry of its history, beside the address: how many pages of hits were shown, and how far
// one had scrolled. Back, Forward and a reload bring both back; a link begins at the first page.
Object.assign(window.picsift, (() => {
  const MOST = 20; // pages that are brought back
  const STILL_MS = 150; // without scrolling, until it is noted

  let pages = 1; // of the answer that is shown
  let bringing = false; // while they come, the place is not where one has scrolled to
  let timer = null;

  const stateOf = (more) => ({ ...more, pages, scrolled: Math.round(window.scrollY) });
  const note = () => {
    clearTimeout(timer);
    if (bringing) return;
    history.replaceState(stateOf(history.state), "", location.href);
  };
  const turned = (count) => { // the answer has so many pages now
    pages = count;
    note();
  };
  const hold = () => { // nothing is noted until `bringBack`
    clearTimeout(timer);
    bringing = true;
  };
  const bringBack = async (state, isLate) => { // as it was when that state was noted, unless something else is done
    const [wanted, scrolled] = [Math.min(Number(state?.pages) || 1, MOST), Number(state?.scrolled) || 0];
    const from = window.scrollY; // which an answer that is shorter has moved
    while (pages < wanted && !isLate() && picsift.hasMore() && (await picsift.more()));
    if (isLate()) return;
    if (window.scrollY === from) window.scrollTo({ top: scrolled, behavior: "instant" });
    bringing = false;
    note();
  };
  const release = () => ([bringing, pages] = [false, 1]); // of the answer that comes

  history.scrollRestoration = "manual"; // the browser does it before the photos are there
  window.addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(note, STILL_MS);
  }, { passive: true });
  return { bringBack, hold, note, release, stateOf, turned, turnedOne: () => turned(pages + 1) };
})());
