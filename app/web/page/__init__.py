"""The page: laid out with Gradio, written as HTML. It asks the services and decides nothing."""
