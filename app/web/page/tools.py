"""What the page offers beside searching, each in a dialog of its own: reviewing suggested tags, and exporting tags.

Layout only. The scripts of the dialogs ask the HTTP API, as any other client does.
"""

SCRIPTS = ("tools.js", "reviewing.js")
STYLE = "tools.css"
BEGIN_JS = "window.picsift.tools(element);"  # runs in the dialogs' element

BUTTONS = '<nav aria-label="Tags"><button type="button" data-tool="review">Review tags</button></nav>'

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
      <option value="uncertain">Most uncertain first</option>
      <option value="frequent">Most frequent tag first</option>
    </select></label>
    <label><span>Tag</span> <select name="tag"><option value="">All tags</option></select></label>
    <p class="left" role="status"></p>
    {_LEAVE}
  </header>
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
DIALOGS = _REVIEW
