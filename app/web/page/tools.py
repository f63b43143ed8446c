"""What the page offers beside searching, each in a dialog of its own: tags are reviewed, changed and exported.

Layout only. The scripts of the dialogs ask the HTTP API, as any other client does.
"""

SCRIPTS = ("tools.js", "sending.js", "suggesting.js", "reviewing.js", "managing.js", "previewing.js", "exporting.js")
STYLE = "tools.css"
BEGIN_JS = "window.picsift.tools(element);"  # runs in the dialogs' element

NAVIGATION = (
    '<nav aria-label="Tools"><a href="./?show=duplicates">Duplicates</a>'
    '<button type="button" data-tool="review">Review tags</button>'
    '<button type="button" data-tool="tags">Tags</button>'
    '<button type="button" data-tool="export">Export</button></nav>'
)

_LEAVE = '<button type="button" class="leave" data-leave aria-label="Close" title="Close (Esc)">×</button>'


def _answer(word: str, key: str, text: str, keys: str = "") -> str:
    return (
        f'<button type="button" data-word="{word}" aria-keyshortcuts="{keys or key.lower()}">{text} <kbd>{key}</kbd>'
        "</button>"
    )


_REVIEW = f"""
<dialog id="review" class="tool" aria-labelledby="review-title">
  <header>
    <h2 id="review-title">Review tags</h2>
    <label><span>Order</span> <select name="order">
      <option value="uncertain">Uncertain first</option>
      <option value="frequent">Frequent first</option>
    </select></label>
    <label><span>Tag</span> <select name="tag"><option value="">All tags</option></select></label>
    <p class="left" role="status"></p>
    <button type="button" class="suggest" data-suggest>Suggest tags</button>
    {_LEAVE}
  </header>
  <div class="suggesting" hidden>
    <p class="how" role="status"></p>
    <progress aria-label="Progress" hidden></progress><button type="button" class="stop" hidden>Stop</button>
  </div>
  <figure tabindex="-1" aria-labelledby="review-title"></figure>
  <div class="question">
    <p class="what" aria-live="polite"></p>
    <p class="about"></p>
    <p class="note" role="status"></p>
  </div>
  <div class="answers">
    {_answer("undo", "U", "Undo", "u z")}
    {_answer("reject", "R", "Reject")}
    {_answer("skip", "S", "Skip")}
    {_answer("accept", "A", "Accept")}
  </div>
</dialog>
"""
_TAGS = f"""
<dialog id="tags" class="tool sheet" aria-labelledby="tags-title">
  <header><h2 id="tags-title">Tags</h2>{_LEAVE}</header>
  <div class="body">
    <label class="find">Find <input type="search" name="find" autocomplete="off" placeholder="a tag"></label>
    <p class="note" role="status"></p>
    <p class="counts" role="status"></p>
    <ul class="tags" aria-label="Tags"></ul>
    <datalist id="tag-names"></datalist>
    <section class="was" hidden>
      <h3>Renamed, merged and deleted</h3>
      <p class="why">Such words are not suggested under their old names, but where that is taken back here. What was
        decided is not brought back.</p>
      <ul class="changes"></ul>
      <button type="button" class="all">Suggest all of them again</button>
    </section>
  </div>
</dialog>
"""
_EXPORT = f"""
<dialog id="export" class="tool sheet" aria-labelledby="export-title">
  <header><h2 id="export-title">Export tags</h2>{_LEAVE}</header>
  <div class="body">
    <fieldset class="ways" disabled>
      <legend>Where they go</legend>
      <label><input type="radio" name="way" value="beside" checked> <span>Sidecars
        <small>XMP files beside the photos</small></span></label>
      <label><input type="radio" name="way" value="into"> <span>Into the photos
        <small class="into"></small></span></label>
    </fieldset>
    <p class="why" data-way="beside">Accepted tags are written to XMP files beside your photos, where Lightroom,
      digiKam, darktable and others read them. The photos stay as they are.</p>
    <p class="why" data-way="into" hidden>Accepted tags are written into your photos themselves, as XMP and IPTC, where
      almost every program reads them. ExifTool writes a copy of each photo, and only once it is proved to hold the same
      picture, and all else that the photo held, does it take the photo's place. What brings the original back, to the
      byte, is kept in the library until you forget it.</p>
    <label data-way="beside">New files are called <select name="naming">
      <option value="auto">as most are already</option>
      <option value="photo.jpg.xmp">photo.jpg.xmp</option>
      <option value="photo.xmp">photo.xmp</option>
    </select></label>
    <p class="counts" role="status"></p>
    <ul class="files" tabindex="0" aria-label="What would be written"></ul>
    <p class="note" role="status"></p>
    <ul class="left" tabindex="0" aria-label="What was left alone, or shortened"></ul>
    <div class="run" hidden>
      <progress aria-label="Progress"></progress><button type="button" class="stop">Stop</button>
    </div>
    <div class="sure" role="group" aria-labelledby="export-sure" hidden>
      <p id="export-sure"></p><button type="button" class="write"></button>
      <button type="button" class="not">Not now</button>
    </div>
    <button type="button" class="go" disabled>Write files</button>
    <h3>Earlier exports</h3>
    <p class="none" hidden>There are none yet.</p>
    <ul class="history"></ul>
    <h3>All tags as a table</h3>
    <p class="tables">
      <a href="api/v1/exports/table?format=csv" download>CSV</a>
      <a href="api/v1/exports/table?format=jsonl" download>JSON Lines</a>
      <a href="api/v1/exports/table?format=parquet" download>Parquet</a>
    </p>
  </div>
</dialog>
"""
DIALOGS = _REVIEW + _TAGS + _EXPORT
