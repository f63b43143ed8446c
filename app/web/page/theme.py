"""The page's colours and fonts, for light and dark. Fonts are the system's: nothing is fetched."""

from app.web.page.quiet_gradio import gradio as gr

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "monospace"]

THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.teal,
    neutral_hue=gr.themes.colors.stone,
    radius_size=gr.themes.sizes.radius_lg,
    font=SANS,
    font_mono=MONO,
).set(
    body_background_fill="#faf9f7",
    body_background_fill_dark="#151413",
    body_text_color="#1f1d1a",
    body_text_color_dark="#eceae6",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    input_background_fill="#ffffff",
    input_background_fill_dark="#201e1c",
    input_border_color="#dedad2",
    input_border_color_dark="#3a3733",
    button_primary_background_fill="#1f6f63",
    button_primary_background_fill_hover="#195b51",
    button_primary_background_fill_dark="#2b8a7b",
    button_primary_background_fill_hover_dark="#33a08f",
    button_primary_text_color="#ffffff",
    button_primary_text_color_dark="#ffffff",
)
