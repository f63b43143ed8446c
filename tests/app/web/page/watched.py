"""A page that fails its test when it asks another host for anything, or an error stands in its console."""

from urllib.parse import urlsplit

LOOKS = """() => ({
    address: location.href,
    title: document.title,
    body: document.body.outerHTML.replace(/ id="html-\\w+"| aria-busy="false"| class=""/g, "").replace(/ +/g, " "),
    fields: [...document.querySelectorAll("input, select, textarea")].map((one) => [one.value, one.checked]),
    focus: document.activeElement.closest("[id]")?.id,
    scrolled: [scrollX, scrollY],
    globals: Object.keys(window),
    fetch: String(window.fetch),
})"""
"""All that a test can see, or have put in the place of something else, but for ids that are drawn anew each time."""

BACK = """() => {
    document.querySelector("#grid").firstElementChild.old = true; // until the answer takes its place
    document.querySelector(".viewer [data-close]")?.click();
    document.querySelector("#brand a").click();
}"""
IS_BACK = "!document.querySelector('#grid').firstElementChild?.old && !document.querySelector('[aria-busy=true]')"


class Watched:
    """A page of a browser, and what it asked for and said since the last check."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.asked, self.errors = [], []
        self.loaded = None
        page.set_default_timeout(60_000)
        page.on("request", lambda sent: self.asked.append(sent.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and not self._is_no_picture(said) and self._say(said))

    def load(self, address):
        """Have it show what stands at the address, and keep how it looks then."""
        self.page.goto(address)
        self.page.wait_for_selector(".notice")
        self.loaded = self.page.evaluate(LOOKS)

    def forget(self):
        """Take away what it and its window keep."""
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.context.clear_cookies()

    def is_as_loaded(self):
        """Whether it is, led back to its start by its own link, what it was when it was loaded."""
        self.page.evaluate(BACK)
        self.page.wait_for_function(IS_BACK)
        self.page.focus("#words input")
        return self.page.evaluate(LOOKS) == self.loaded

    def check(self):
        """Raise an AssertionError for what it asked of other hosts, and for what went wrong in it."""
        asked, errors = self.asked[:], self.errors[:]
        self.asked.clear()
        self.errors.clear()
        elsewhere = [url for url in asked if urlsplit(url).scheme not in ("data", "blob")]
        assert not [url for url in elsewhere if not url.startswith(self.address)]
        assert not errors

    def _is_no_picture(self, said):
        return "status of 415" in said.text and said.location["url"] == f"{self.address}/api/v1/pictures"

    def _say(self, said):
        self.errors.append(said.text)
