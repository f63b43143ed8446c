// What the page does in the browser: tiles, the large view, and a picture dropped or pasted anywhere.
// It asks Python through the hooks that ui.py passes in, and no other host.
window.picsift = (() => {
  const typed = (box, text) => {
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const searchFor = (text) => {
    typed(document.querySelector("#words input"), text);
    setTimeout(() => document.querySelector("#go").click(), 50); // after the box has told Gradio
  };

  const grid = (element, open) => {
    element.addEventListener("click", (event) => {
      const tile = event.target.closest("[data-id]");
      const example = event.target.closest("[data-example]");
      if (tile) open(Number(tile.dataset.id));
      if (example) searchFor(example.dataset.example);
    });
  };

  const viewer = (element, props, watch, like, open) => {
    const shown = () => element.querySelector(".viewer");
    const tileOf = (id) => document.querySelector(`#grid [data-id="${id}"]`);
    let opener = null;

    const hide = () => {
      if (!shown()) return;
      props.value = "";
      document.body.classList.remove("viewing");
      if (opener) opener.focus({ preventScroll: true });
    };
    const close = () => (history.state && history.state.viewing ? history.back() : hide());
    const step = (by) => {
      const tiles = [...document.querySelectorAll("#grid [data-id]")];
      const next = tiles[tiles.indexOf(tileOf(shown().dataset.photo)) + by];
      if (next) next.click();
    };

    watch("value", () => {
      if (!shown()) return;
      opener = tileOf(shown().dataset.photo);
      document.body.classList.add("viewing");
      if (!(history.state && history.state.viewing)) history.pushState({ viewing: true }, "");
      shown().focus();
    });
    window.addEventListener("popstate", hide); // a phone's back button closes the photo, not the page
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]") || event.target.matches("figure")) close();
      else if (event.target.closest("[data-open]")) open(Number(event.target.closest("[data-open]").dataset.open));
      else if (event.target.closest("[data-step]")) step(Number(event.target.closest("[data-step]").dataset.step));
      else if (event.target.closest("[data-like]")) {
        like(Number(shown().dataset.photo));
        close();
        window.scrollTo({ top: 0 });
      }
    });
    element.addEventListener("error", ({ target }) => { // the file cannot be read now: the thumbnail is there still
      const { instead, still } = target.dataset;
      if (still) { // a video that this browser cannot play
        const image = Object.assign(new Image(), { alt: target.ariaLabel, src: still });
        image.dataset.instead = instead;
        target.replaceWith(image);
        return;
      }
      delete target.dataset.instead;
      if (instead) target.src = instead;
    }, true);
    document.addEventListener("keydown", (event) => {
      if (!shown()) return;
      if (event.key === "Escape") close();
      else if (event.key === "ArrowLeft") step(-1);
      else if (event.key === "ArrowRight") step(1);
      else if (event.key === "Tab") keepFocus(event, shown());
    });
  };

  const keepFocus = (event, dialog) => {
    const stops = [...dialog.querySelectorAll("button, a, video")];
    const at = stops.indexOf(document.activeElement);
    const to = event.shiftKey ? at - 1 : at + 1;
    event.preventDefault();
    stops[(to + stops.length) % stops.length].focus();
  };

  const tell = (text) => { // what went wrong, until it is read
    document.querySelectorAll(".told").forEach((old) => old.remove());
    const told = Object.assign(document.createElement("p"), { className: "told", role: "alert", textContent: text });
    told.addEventListener("click", () => told.remove());
    document.body.append(told);
    setTimeout(() => told.remove(), 10000);
  };

  let give = () => {}; // until the button is there
  const picture = (element, search) => {
    const [button, input] = [element.querySelector("button"), element.querySelector("input")];
    const most = Number(input.dataset.most);
    let sending = null;

    const send = async (file, signal) => {
      if (file.size > most) return tell(`The picture is larger than ${most / 2 ** 20} MB. Take a smaller one.`);
      const answer = await fetch("api/v1/pictures", { method: "POST", body: file, signal });
      const said = await answer.json();
      if (signal.aborted) return;
      if (answer.ok) search(said.token);
      else tell(said.detail.charAt(0).toUpperCase() + said.detail.slice(1));
    };
    give = async (files) => {
      if (!files.length) return;
      if (sending) sending.abort(); // the latest picture is the one that is meant
      const mine = (sending = new AbortController());
      button.ariaBusy = "true";
      try {
        await send(files[0], mine.signal);
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

  const holdsFile = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  let depth = 0;
  const dragging = (by) => {
    depth = Math.max(0, depth + by);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => holdsFile(event) && dragging(1));
  document.addEventListener("dragleave", (event) => holdsFile(event) && dragging(-1));
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
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
    const inField = event.target.closest("input, textarea");
    if (event.key === "/" && !inField && !document.body.classList.contains("viewing")) {
      event.preventDefault();
      document.querySelector("#words input").focus();
    }
  });

  return { grid, picture, viewer };
})();
